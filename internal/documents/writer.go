package documents

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// sectionBytes is about how long a section becomes before the next begins.
const sectionBytes = 32 << 10

// longest is what a section without line breaks may become.
const longest = 4 * sectionBytes

// heading is a place in the outline of a document.
type heading struct {
	level int
	text  string
}

// writer gathers text into sections.
type writer struct {
	emit  func(Section) error
	left  int64 // bytes of text that may follow
	limit int64

	outline []heading
	page    int
	buf     strings.Builder
	headed  int // bytes of the heading that begins the section
}

func newWriter(l Limits, emit func(Section) error) *writer {
	return &writer{emit: emit, left: l.Text, limit: l.Text}
}

// text adds text as it is.
func (w *writer) text(s string) error {
	if w.left -= int64(len(s)); w.left < 0 {
		return exceeded("bytes of text", w.limit)
	}
	w.buf.WriteString(s)
	if w.buf.Len() > longest {
		return w.cut()
	}
	return nil
}

// cut ends a section in the middle of a text that has no line breaks, at the
// last white space if there is any near.
func (w *writer) cut() error {
	text := w.buf.String()
	at := strings.LastIndexAny(text, " \t\n") + 1
	if at < sectionBytes {
		for at = len(text) - 1; at > 0 && !utf8.RuneStart(text[at]); {
			at--
		}
	}
	rest := text[at:]
	w.buf.Reset()
	w.buf.WriteString(text[:at])
	err := w.flush()
	w.buf.WriteString(rest)
	return err
}

// lines makes sure that at least n line breaks come before what follows. It is
// where a section that has become long ends.
func (w *writer) lines(n int) error {
	if w.buf.Len() > sectionBytes {
		return w.flush()
	}
	s := w.buf.String()
	if len(s) == w.headed {
		return nil
	}
	for have := len(s) - len(strings.TrimRight(s, "\n")); have < n; have++ {
		if err := w.text("\n"); err != nil {
			return err
		}
	}
	return nil
}

// line adds a line of text.
func (w *writer) line(s string) error {
	if err := w.text(s); err != nil {
		return err
	}
	if err := w.text("\n"); err != nil {
		return err
	}
	if w.buf.Len() > sectionBytes {
		return w.flush()
	}
	return nil
}

// heading begins a place in the outline, with its text as the first line.
func (w *writer) heading(level int, text string) error {
	text = strings.Join(strings.Fields(text), " ")
	if err := w.flush(); err != nil || text == "" {
		return err
	}
	w.outline = slices.DeleteFunc(w.outline, func(h heading) bool { return h.level >= level })
	w.outline = append(w.outline, heading{level, text})
	err := w.line(text)
	w.headed = w.buf.Len()
	return err
}

// onPage begins a page.
func (w *writer) onPage(page int) error {
	if err := w.flush(); err != nil {
		return err
	}
	w.page = page
	return nil
}

// flush ends the section.
func (w *writer) flush() error {
	text := strings.Trim(w.buf.String(), "\n")
	w.buf.Reset()
	w.headed = 0
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var path []string
	for _, h := range w.outline {
		path = append(path, h.text)
	}
	return w.emit(Section{Headings: path, Page: w.page, Text: text})
}

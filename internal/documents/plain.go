package documents

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
)

// eachLine calls do with every line of a text, without its end. A line longer
// than a section comes in parts.
func eachLine(r *bufio.Reader, do func(line string, whole bool) error) error {
	for {
		line, err := r.ReadSlice('\n')
		full := errors.Is(err, bufio.ErrBufferFull)
		if len(line) > 0 {
			text := strings.TrimRight(string(line), "\r\n")
			if full {
				text = string(line)
			}
			if err := do(text, !full); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil && !full {
			return err
		}
	}
}

// text reads plain text. A form feed begins a page, as line printers have it.
func (x *Extractor) text(ctx context.Context, r io.Reader, w *writer) error {
	in, err := x.decoded(ctx, r)
	if err != nil {
		return err
	}
	return eachLine(in, func(line string, whole bool) error {
		for {
			before, after, feed := strings.Cut(line, "\f")
			if err := put(w, before, whole || feed); err != nil || !feed {
				return err
			}
			if err := w.onPage(max(w.page, 1) + 1); err != nil {
				return err
			}
			line = after
		}
	})
}

func put(w *writer, s string, whole bool) error {
	if whole {
		return w.line(s)
	}
	return w.text(s)
}

// markdown reads Markdown as it is written, which reads well as text, and
// knows its headings, those with hashes and those underlined.
func (x *Extractor) markdown(ctx context.Context, r io.Reader, w *writer) error {
	in, err := x.decoded(ctx, r)
	if err != nil {
		return err
	}
	m := &markdown{w: w}
	if err := eachLine(in, m.line); err != nil {
		return err
	}
	return m.release()
}

type markdown struct {
	w     *writer
	fence string // what closes the code block we are in, "" outside
	held  string // the line before, which an underline may make a heading
	holds bool
}

func (m *markdown) line(line string, whole bool) error {
	trimmed := strings.TrimSpace(line)
	if m.fence != "" || !whole {
		if m.fence != "" && strings.HasPrefix(trimmed, m.fence) && strings.Trim(trimmed, m.fence[:1]) == "" {
			m.fence = ""
		}
		if err := m.release(); err != nil {
			return err
		}
		return put(m.w, line, whole)
	}
	if fence := fenceOf(trimmed); fence != "" {
		m.fence = fence
		if err := m.release(); err != nil {
			return err
		}
		return m.w.line(line)
	}
	if level := underline(trimmed); level > 0 && m.holds && strings.TrimSpace(m.held) != "" {
		m.holds = false
		return m.w.heading(level, m.held)
	}
	if err := m.release(); err != nil {
		return err
	}
	if level, text := hashed(trimmed); level > 0 {
		return m.w.heading(level, text)
	}
	m.held, m.holds = line, true
	return nil
}

// release writes the line that turned out to be no heading.
func (m *markdown) release() error {
	if !m.holds {
		return nil
	}
	m.holds = false
	return m.w.line(m.held)
}

// fenceOf returns the marks that begin a code block.
func fenceOf(line string) string {
	for _, mark := range []string{"`", "~"} {
		if n := len(line) - len(strings.TrimLeft(line, mark)); n >= 3 {
			return line[:n]
		}
	}
	return ""
}

// underline tells the level of the heading whose underline a line is; 0 for
// none. A single dash is more likely a list.
func underline(line string) int {
	switch {
	case line != "" && strings.Trim(line, "=") == "":
		return 1
	case len(line) > 1 && strings.Trim(line, "-") == "":
		return 2
	}
	return 0
}

// hashed reads "## Text ##".
func hashed(line string) (level int, text string) {
	n := len(line) - len(strings.TrimLeft(line, "#"))
	if n == 0 || n > 6 || len(line) > n && line[n] != ' ' && line[n] != '\t' {
		return 0, ""
	}
	text = strings.TrimSpace(line[n:])
	if closing := strings.TrimRight(text, "#"); closing == "" || strings.HasSuffix(closing, " ") {
		text = strings.TrimSpace(closing)
	}
	return n, text
}

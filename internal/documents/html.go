package documents

import (
	"context"
	"io"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// html reads what a reader of a page sees: no scripts, no styles, no
// navigation. It goes through tags as they come and builds no tree, so a page
// that nests without end costs nothing.
func (x *Extractor) html(ctx context.Context, r io.Reader, w *writer) error {
	in, err := x.decoded(ctx, r)
	if err != nil {
		return err
	}
	z := html.NewTokenizer(in)
	z.SetMaxBuf(x.cfg.Limits.Record)
	p := &page{w: w}
	for {
		switch z.Next() {
		case html.ErrorToken:
			if z.Err() == io.EOF {
				return p.endHeading()
			}
			if z.Err() == html.ErrBufferExceeded {
				return exceeded("bytes in one tag or text", x.cfg.Limits.Record)
			}
			return z.Err()
		case html.TextToken:
			err = p.text(string(z.Text()))
		case html.StartTagToken:
			name, _ := z.TagName()
			err = p.open(atom.Lookup(name))
		case html.SelfClosingTagToken:
			name, _ := z.TagName()
			if tag := atom.Lookup(name); !hidden(tag) { // nothing is in it to be hidden
				err = p.open(tag)
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			err = p.close(atom.Lookup(name))
		}
		if err != nil {
			return err
		}
	}
}

// page is a page being read.
type page struct {
	w      *writer
	skip   atom.Atom // the element whose content is not shown
	skips  int       // how many of it are open
	pre    int
	level  int // of the heading we are in
	head   strings.Builder
	spaced bool // white space waits to be written
}

// hidden are elements whose content is not what a page says.
func hidden(tag atom.Atom) bool {
	switch tag {
	case atom.Script, atom.Style, atom.Nav, atom.Noscript, atom.Template, atom.Svg, atom.Iframe, atom.Title, atom.Object, atom.Canvas, atom.Select, atom.Button:
		return true
	}
	return false
}

// breaks is how many line breaks an element puts around itself.
func breaks(tag atom.Atom) int {
	switch tag {
	case atom.Br, atom.Li, atom.Tr, atom.Dt, atom.Dd, atom.Option, atom.Caption:
		return 1
	case atom.P, atom.Div, atom.Section, atom.Article, atom.Main, atom.Header, atom.Footer, atom.Aside, atom.Table,
		atom.Ul, atom.Ol, atom.Dl, atom.Blockquote, atom.Pre, atom.Hr, atom.Figure, atom.Form, atom.Body, atom.Address, atom.Details, atom.Summary:
		return 2
	}
	return 0
}

func levelOf(tag atom.Atom) int {
	switch tag {
	case atom.H1:
		return 1
	case atom.H2:
		return 2
	case atom.H3:
		return 3
	case atom.H4:
		return 4
	case atom.H5:
		return 5
	case atom.H6:
		return 6
	}
	return 0
}

func (p *page) open(tag atom.Atom) error {
	if p.skips > 0 {
		if tag == p.skip {
			p.skips++
		}
		return nil
	}
	if hidden(tag) {
		p.skip, p.skips = tag, 1
		return nil
	}
	if level := levelOf(tag); level > 0 {
		err := p.endHeading()
		p.level = level
		return err
	}
	if p.level > 0 {
		p.spaced = p.spaced || breaks(tag) > 0
		return nil
	}
	if n := breaks(tag); n > 0 {
		p.spaced = false
		if err := p.w.lines(n); err != nil {
			return err
		}
	}
	switch tag {
	case atom.Pre:
		p.pre++
	case atom.Li:
		return p.w.text("- ")
	case atom.Td, atom.Th:
		return p.cell()
	}
	return nil
}

// cell separates the cells of a row.
func (p *page) cell() error {
	p.spaced = false
	if s := p.w.buf.String(); s == "" || strings.HasSuffix(s, "\n") {
		return nil
	}
	return p.w.text(" | ")
}

func (p *page) close(tag atom.Atom) error {
	if p.skips > 0 {
		if tag == p.skip {
			p.skips--
		}
		return nil
	}
	if levelOf(tag) > 0 {
		return p.endHeading()
	}
	if tag == atom.Pre && p.pre > 0 {
		p.pre--
	}
	if n := breaks(tag); n > 0 && p.level == 0 {
		p.spaced = false
		return p.w.lines(n)
	}
	return nil
}

func (p *page) endHeading() error {
	if p.level == 0 {
		return nil
	}
	level, text := p.level, p.head.String()
	p.level, p.spaced = 0, false
	p.head.Reset()
	return p.w.heading(level, text)
}

func (p *page) text(s string) error {
	if p.skips > 0 || s == "" {
		return nil
	}
	if p.pre > 0 && p.level == 0 {
		return p.w.text(s)
	}
	words := strings.Fields(s)
	if len(words) == 0 {
		p.spaced = true
		return nil
	}
	first, last := s[0], s[len(s)-1]
	text := strings.Join(words, " ")
	if p.spaced || first == ' ' || first == '\n' || first == '\t' || first == '\r' {
		text = " " + text
	}
	p.spaced = last == ' ' || last == '\n' || last == '\t' || last == '\r'
	if p.level > 0 {
		if p.w.left < int64(p.head.Len()) {
			return exceeded("bytes of text", p.w.limit)
		}
		p.head.WriteString(text)
		return nil
	}
	if b := p.w.buf.String(); b == "" || strings.HasSuffix(b, "\n") {
		text = strings.TrimPrefix(text, " ")
	}
	return p.w.text(text)
}

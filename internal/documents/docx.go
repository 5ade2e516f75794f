package documents

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
)

// docx reads the body of a Word document: paragraphs, headings by their
// style, lists and tables. What is deleted but tracked is left out.
func (x *Extractor) docx(ctx context.Context, r io.Reader, w *writer) error {
	a, done, err := x.unzipped(ctx, r)
	if err != nil {
		return err
	}
	d := &word{w: w, levels: map[string]int{}}
	if a.has("word/styles.xml") {
		err = a.walk("word/styles.xml", handler{start: d.style})
	}
	if err == nil {
		err = a.walk("word/document.xml", handler{start: d.start, end: d.end, text: d.text})
	}
	return errors.Join(err, done())
}

// word is a document being read.
type word struct {
	w      *writer
	levels map[string]int // of headings, by the id of their style
	styled string         // the style being described

	par    strings.Builder
	level  int // of the heading the paragraph is
	listed bool
	inText bool
	skips  int // elements being skipped, nested
	cells  int // tables we are in
	cell   int // of the row, from 0
}

// style learns which styles are headings. Their ids depend on the language of
// the program, their names do not.
func (d *word) style(e xml.StartElement) error {
	switch e.Name.Local {
	case "style":
		d.styled = attr(e, "styleId")
	case "name":
		if level := headingLevel(attr(e, "val")); level > 0 {
			d.levels[d.styled] = level
		}
	case "outlineLvl":
		if n, err := strconv.Atoi(attr(e, "val")); err == nil && n >= 0 && n < 9 && d.levels[d.styled] == 0 {
			d.levels[d.styled] = n + 1
		}
	}
	return nil
}

// headingLevel reads the name of a style: "heading 2".
func headingLevel(name string) int {
	name = strings.ToLower(strings.ReplaceAll(name, " ", ""))
	if name == "title" {
		return 1
	}
	if rest, ok := strings.CutPrefix(name, "heading"); ok {
		if n, err := strconv.Atoi(rest); err == nil && n >= 1 && n <= 9 {
			return n
		}
	}
	return 0
}

func (d *word) start(e xml.StartElement) error {
	if d.skips > 0 {
		d.skips++
		return nil
	}
	switch e.Name.Local {
	case "Fallback", "del", "instrText", "delText", "sdtPr": // a second form of the same, or no text of the document
		d.skips = 1
	case "p":
		if d.cells == 0 {
			d.par.Reset()
		}
		d.level, d.listed = 0, false
	case "pStyle":
		if d.level = d.levels[attr(e, "val")]; d.level == 0 {
			d.level = headingLevel(attr(e, "val"))
		}
	case "outlineLvl":
		if n, err := strconv.Atoi(attr(e, "val")); err == nil && n >= 0 && n < 9 && d.level == 0 {
			d.level = n + 1
		}
	case "numPr":
		d.listed = true
	case "t":
		d.inText = true
	case "tab":
		d.add("\t")
	case "br", "cr":
		d.add("\n")
	case "noBreakHyphen":
		d.add("-")
	case "tbl":
		d.cells++
		return d.w.lines(2)
	case "tr":
		d.cell = 0
		d.par.Reset()
	case "tc":
		if d.cell++; d.cell > 1 {
			before := strings.TrimRight(d.par.String(), " ")
			d.par.Reset()
			d.add(before + " | ")
		}
	}
	return nil
}

func (d *word) add(s string) { d.par.WriteString(s) }

func (d *word) text(s string) error {
	if d.inText && d.skips == 0 {
		if int64(d.par.Len()+len(s)) > d.w.left {
			return exceeded("bytes of text", d.w.limit)
		}
		d.add(s)
	}
	return nil
}

func (d *word) end(name string) error {
	if d.skips > 0 {
		d.skips--
		return nil
	}
	switch name {
	case "t":
		d.inText = false
	case "p":
		return d.paragraph()
	case "tr":
		row := strings.TrimRight(d.par.String(), " ")
		d.par.Reset()
		if strings.Trim(row, " |") == "" {
			return nil
		}
		return d.w.line(row)
	case "tbl":
		d.cells = max(d.cells-1, 0)
		return d.w.lines(2)
	}
	return nil
}

// paragraph writes one. In a table it is part of its cell.
func (d *word) paragraph() error {
	if d.cells > 0 {
		d.add(" ")
		return nil
	}
	text := d.par.String()
	d.par.Reset()
	if strings.TrimSpace(text) == "" {
		return nil
	}
	if d.level > 0 {
		return d.w.heading(d.level, text)
	}
	if d.listed {
		return d.w.line("- " + text)
	}
	if err := d.w.line(text); err != nil {
		return err
	}
	return d.w.lines(2)
}

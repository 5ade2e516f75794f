package documents

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strconv"
	"strings"
)

// xlsx reads the visible sheets of a workbook. The first row of a sheet that
// is not empty names its columns. Cells are strings as a person would write
// them: dates are 2006-01-02, with T15:04:05 when they have a time.
func (x *Extractor) xlsx(ctx context.Context, r io.Reader, emit emitRow) error {
	a, done, err := x.unzipped(ctx, r)
	if err != nil {
		return err
	}
	return errors.Join(x.workbook(a, emit), done())
}

func (x *Extractor) workbook(a *archive, emit emitRow) error {
	b := &book{record: x.cfg.Limits.Record}
	if err := b.open(a); err != nil {
		return err
	}
	if err := b.strings(a, x.cfg.Limits.Text); err != nil {
		return err
	}
	if err := b.styles(a); err != nil {
		return err
	}
	for _, s := range b.sheets {
		reader := &sheet{book: b, name: s.name, emit: emit}
		if err := a.walk(s.file, handler{start: reader.start, end: reader.end, text: reader.text}); err != nil {
			return err
		}
	}
	return nil
}

// book is what the sheets of a workbook share.
type book struct {
	record int
	sheets []sheetFile
	shared []string
	dates  []bool // by style of a cell
	from04 bool   // days count from 1904
}

type sheetFile struct{ name, file string }

func (b *book) open(a *archive) error {
	type ref struct{ name, id string }
	var refs []ref
	err := a.walk("xl/workbook.xml", handler{start: func(e xml.StartElement) error {
		switch e.Name.Local {
		case "workbookPr":
			b.from04 = truth(attr(e, "date1904"))
		case "sheet":
			if state := attr(e, "state"); state == "" || state == "visible" {
				refs = append(refs, ref{attr(e, "name"), relation(e)})
			}
		}
		return nil
	}})
	if err != nil {
		return err
	}
	targets := map[string]string{}
	err = a.walk("xl/_rels/workbook.xml.rels", handler{start: func(e xml.StartElement) error {
		target := attr(e, "Target")
		if !strings.HasPrefix(target, "/") {
			target = "/xl/" + target
		}
		targets[attr(e, "Id")] = strings.TrimPrefix(path.Clean(target), "/")
		return nil
	}})
	for _, r := range refs {
		// Charts have sheets, too, without rows.
		if file := targets[r.id]; a.has(file) && !strings.Contains(file, "chartsheets/") {
			b.sheets = append(b.sheets, sheetFile{r.name, file})
		}
	}
	return err
}

// relation returns r:id, which sheets have beside other ids.
func relation(e xml.StartElement) string {
	for _, a := range e.Attr {
		if a.Name.Local == "id" && a.Name.Space != "" {
			return a.Value
		}
	}
	return ""
}

func truth(s string) bool { return s == "1" || s == "true" }

// strings reads the texts that cells refer to by number.
func (b *book) strings(a *archive, limit int64) error {
	if !a.has("xl/sharedStrings.xml") {
		return nil
	}
	var text strings.Builder
	total, reading, phonetic := int64(0), false, false
	return a.walk("xl/sharedStrings.xml", handler{
		start: func(e xml.StartElement) error {
			switch e.Name.Local {
			case "si":
				text.Reset()
			case "rPh": // how a text is spoken
				phonetic = true
			case "t":
				reading = !phonetic
			}
			return nil
		},
		end: func(name string) error {
			switch name {
			case "si":
				b.shared = append(b.shared, strings.Clone(text.String()))
				if total += int64(text.Len()) + 16; total > limit { // a string's header counts, too
					return exceeded("bytes of text", limit)
				}
			case "rPh":
				phonetic = false
			case "t":
				reading = false
			}
			return nil
		},
		text: func(s string) error {
			if reading {
				text.WriteString(s)
			}
			if int64(text.Len()) > limit {
				return exceeded("bytes of text", limit)
			}
			return nil
		},
	})
}

// styles learns which styles show a number as a date.
func (b *book) styles(a *archive) error {
	if !a.has("xl/styles.xml") {
		return nil
	}
	formats, inCells := map[string]bool{}, false
	return a.walk("xl/styles.xml", handler{
		start: func(e xml.StartElement) error {
			switch e.Name.Local {
			case "numFmt":
				formats[attr(e, "numFmtId")] = dateFormat(attr(e, "formatCode"))
			case "cellXfs":
				inCells = true
			case "xf":
				if !inCells {
					return nil
				}
				id := attr(e, "numFmtId")
				n, err := strconv.Atoi(id)
				date, own := formats[id]
				b.dates = append(b.dates, own && date || !own && err == nil && (n >= 14 && n <= 22 || n >= 45 && n <= 47))
			}
			return nil
		},
		end: func(name string) error {
			inCells = inCells && name != "cellXfs"
			return nil
		},
	})
}

// dateFormat tells whether a number format shows days or times: whether it has
// their letters outside of quotes and brackets.
func dateFormat(code string) bool {
	var closing rune
	for i, c := range code {
		switch {
		case closing != 0:
			if c == closing {
				closing = 0
			}
		case i > 0 && code[i-1] == '\\':
		case c == '"':
			closing = '"'
		case c == '[':
			closing = ']'
		case strings.ContainsRune("dmyhsDMYHS", c):
			return true
		}
	}
	return false
}

// sheet is a sheet being read.
type sheet struct {
	*book
	name string
	emit emitRow

	columns []string
	line    int64
	cells   []string
	size    int

	at    int // column of the cell, from 0
	kind  string
	style int
	value strings.Builder
	reads bool
}

// maxColumns is what Excel's own limit is.
const maxColumns = 16_384

func (s *sheet) start(e xml.StartElement) error {
	switch e.Name.Local {
	case "row":
		s.line++
		if n, err := strconv.ParseInt(attr(e, "r"), 10, 64); err == nil && n >= s.line {
			s.line = n
		}
		s.cells, s.at, s.size = s.cells[:0], -1, 0
	case "c":
		s.at++
		if n := columnOf(attr(e, "r")); n >= s.at {
			s.at = n
		}
		if s.at >= maxColumns {
			return exceeded("columns", maxColumns)
		}
		s.kind = attr(e, "t")
		s.style, _ = strconv.Atoi(attr(e, "s")) // absent is the first style
		s.value.Reset()
	case "v", "t":
		s.reads = true
	}
	return nil
}

// columnOf reads the letters of "AB12": 27. It is -1 for what has none.
func columnOf(ref string) int {
	n := 0
	for _, c := range ref {
		if c < 'A' || c > 'Z' || n > maxColumns {
			break
		}
		n = n*26 + int(c-'A') + 1
	}
	return n - 1
}

func (s *sheet) text(text string) error {
	if s.reads {
		if s.size += len(text); s.size > s.record {
			return exceeded("bytes in one record", s.record)
		}
		s.value.WriteString(text)
	}
	return nil
}

func (s *sheet) end(name string) error {
	switch name {
	case "v", "t":
		s.reads = false
	case "c":
		if value := s.shown(); value != "" {
			for len(s.cells) <= s.at {
				s.cells = append(s.cells, "")
			}
			s.cells[s.at] = value
			s.size += len(value)
		}
		if s.size > s.record {
			return exceeded("bytes in one record", s.record)
		}
	case "row":
		return s.row()
	}
	return nil
}

// shown is a cell's value as a person would write it.
func (s *sheet) shown() string {
	v := s.value.String()
	switch s.kind {
	case "s":
		n, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil || n < 0 || n >= len(s.shared) {
			return ""
		}
		return s.shared[n]
	case "b":
		return strconv.FormatBool(truth(v))
	case "", "n":
		if s.style >= 0 && s.style < len(s.dates) && s.dates[s.style] {
			return dateOf(v, s.from04)
		}
	}
	return v
}

func (s *sheet) row() error {
	if len(s.cells) == 0 {
		return nil
	}
	if s.columns == nil {
		columns, err := columnNames(s.cells)
		s.columns = columns
		return err
	}
	row := Row{Line: s.line, Sheet: s.name}
	if len(s.cells) > len(s.columns) {
		return s.emit(row, &Fault{Line: s.line, Message: "has a value in column " + strconv.Itoa(len(s.cells)) + ", which has no name"})
	}
	row.Fields = make([]Field, len(s.cells))
	for i, value := range s.cells {
		row.Fields[i] = Field{s.columns[i], value}
	}
	return s.emit(row, nil)
}

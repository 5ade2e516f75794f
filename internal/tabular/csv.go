package tabular

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// csvRows reads separated values; the first row names the columns.
type csvRows struct {
	text  *text
	from  *csv.Reader
	names []string
	row   Row
}

func newCSV(t *text) (*csvRows, error) {
	head, err := t.from.Peek(32 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	c := &csvRows{text: t, from: csv.NewReader(t)}
	c.from.Comma, c.from.ReuseRecord = separator(head), true
	names, err := c.from.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: its first row must name the columns")
	}
	if err != nil {
		return nil, readable(err)
	}
	if len(names) > MaxColumns {
		return nil, fmt.Errorf("the table has %d columns, more than %d", len(names), MaxColumns)
	}
	c.names, c.row = distinct(names), make(Row, len(names))
	return c, nil
}

func (c *csvRows) columns() []string { return c.names }

func (c *csvRows) next() (Row, error) {
	c.text.row()
	cells, err := c.from.Read()
	if err != nil {
		if !errors.Is(err, io.EOF) {
			err = readable(err)
		}
		return nil, err
	}
	for i, cell := range cells {
		if !utf8.ValidString(cell) {
			line, _ := c.from.FieldPos(i)
			return nil, fmt.Errorf("line %d: column %q is not text in UTF-8", line, c.names[i])
		}
		c.row[i] = Parse(cell)
	}
	return c.row, nil
}

// readable says a parser's error as we say things.
func readable(err error) error {
	if p, ok := errors.AsType[*csv.ParseError](err); ok {
		if errors.Is(p.Err, csv.ErrFieldCount) {
			return fmt.Errorf("line %d: the row has another number of cells than the first", p.Line)
		}
		return fmt.Errorf("line %d: %w", p.Line, p.Err)
	}
	return err
}

// separator is what parts the cells of the first line: the candidate that is
// there most often outside quotes.
func separator(head []byte) rune {
	count, quoted := map[byte]int{}, false
	for _, c := range head {
		if c == '"' {
			quoted = !quoted
		}
		if quoted {
			continue
		}
		if c == '\n' {
			break
		}
		if bytes.IndexByte([]byte(",;\t|"), c) >= 0 {
			count[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte(";\t|") {
		if count[c] > count[best] {
			best = c
		}
	}
	return rune(best)
}

// distinct makes names that are there and differ: a column without a name gets
// its number, a repeated name a number behind it.
func distinct(names []string) []string {
	out, used := make([]string, len(names)), make(map[string]bool, len(names))
	for _, n := range names {
		used[strings.TrimSpace(n)] = true
	}
	seen := make(map[string]bool, len(names))
	for i, n := range names {
		n = strings.ToValidUTF8(strings.TrimSpace(n), "\ufffd")
		if n == "" {
			n = fmt.Sprintf("column_%d", i+1)
		}
		name := n
		for k := 2; seen[name] || name != n && used[name]; k++ {
			name = fmt.Sprintf("%s_%d", n, k)
		}
		seen[name] = true
		out[i] = name
	}
	return out
}

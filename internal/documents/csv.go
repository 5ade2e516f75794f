package documents

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// csv reads a table whose first line names the columns. The delimiter is the
// one of , ; tab | that divides that line most often. Quoted values may hold
// line breaks.
func (x *Extractor) csv(ctx context.Context, r io.Reader, emit emitRow) error {
	in, err := x.decoded(ctx, r)
	if err != nil {
		return err
	}
	head, err := in.Peek(looked / 2)
	if err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull) {
		return err
	}
	counted := newRecordReader(in, x.cfg.Limits.Record)
	c := csv.NewReader(counted)
	c.Comma, c.FieldsPerRecord, c.ReuseRecord = delimiter(head), -1, true
	names, err := c.Read()
	if err == io.EOF {
		return nil
	}
	if err != nil {
		return csvError(err)
	}
	columns, err := columnNames(names)
	if err != nil {
		return err
	}
	for {
		counted.end(c.InputOffset())
		record, err := c.Read()
		if err == io.EOF {
			return nil
		}
		row, fault := Row{}, error(nil)
		if bad, ok := errors.AsType[*csv.ParseError](err); ok {
			row.Line = int64(bad.StartLine)
			fault = &Fault{Line: row.Line, Message: "is not valid CSV: " + bad.Err.Error()}
		} else if err != nil {
			return err
		} else {
			line, _ := c.FieldPos(0)
			row, fault = csvRow(int64(line), columns, record)
		}
		if err := emit(row, fault); err != nil {
			return err
		}
	}
}

func csvError(err error) error {
	if bad, ok := errors.AsType[*csv.ParseError](err); ok {
		return malformed("the first line of the CSV file cannot be read: %v", bad.Err)
	}
	return err
}

func csvRow(line int64, columns, record []string) (Row, error) {
	row := Row{Line: line}
	if len(record) > len(columns) {
		return row, &Fault{Line: line, Message: fmt.Sprintf("has %d values for %d columns", len(record), len(columns))}
	}
	row.Fields = make([]Field, len(record))
	for i, value := range record {
		row.Fields[i] = Field{columns[i], value}
	}
	return row, nil
}

// columnNames checks and completes the names of columns.
func columnNames(names []string) ([]string, error) {
	out := make([]string, len(names))
	seen := map[string]int{}
	for i, name := range names {
		name = strings.TrimSpace(name)
		if name == "" {
			name = fmt.Sprintf("column_%d", i+1)
		}
		if first, twice := seen[name]; twice {
			return nil, malformed("columns %d and %d are both named %q", first, i+1, name)
		}
		seen[name] = i + 1
		out[i] = name
	}
	return out, nil
}

// delimiter looks at the first line, outside of quotes.
func delimiter(head []byte) rune {
	best, most, quoted := ',', 0, false
	counts := map[rune]int{}
	for _, c := range string(head) {
		if c == '"' {
			quoted = !quoted
		}
		if quoted {
			continue
		}
		if c == '\n' && len(counts) > 0 {
			break
		}
		counts[c]++
	}
	for _, c := range ",;\t|" {
		if counts[c] > most {
			best, most = c, counts[c]
		}
	}
	return best
}

package documents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// rowsAsText writes each record as lines "name: value", so that a chunk of it
// says what its values are. A record that cannot be read ends the reading: a
// document that is searched must not lack what was in it.
func (x *Extractor) rowsAsText(ctx context.Context, r io.Reader, f Format, w *writer) error {
	sheet := ""
	return x.rows(ctx, r, f, func(row Row, fault error) error {
		if bad, ok := errors.AsType[*Fault](fault); ok {
			return malformed("line %d of the %s file %s", bad.Line, f, bad.Error())
		}
		if row.Sheet != sheet {
			sheet = row.Sheet
			if err := w.heading(1, sheet); err != nil {
				return err
			}
		}
		for _, field := range row.Fields {
			if err := fieldAsText(w, field.Name, field.Value); err != nil {
				return err
			}
		}
		return w.lines(2)
	})
}

// fieldAsText writes a value, each leaf of an object or array on its own line.
func fieldAsText(w *writer, name string, value any) error {
	raw, nested := value.(json.RawMessage)
	if !nested {
		if value == nil || value == "" {
			return nil
		}
		return w.line(name + ": " + strings.ReplaceAll(fmt.Sprint(value), "\n", " "))
	}
	if raw[0] == '{' {
		return members(raw, func(key string, v json.RawMessage) error {
			inner, err := scalar(v)
			if err != nil {
				return err
			}
			return fieldAsText(w, name+"."+key, inner)
		})
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return err
	}
	for i, item := range items {
		inner, err := scalar(item)
		if err != nil {
			return err
		}
		if err := fieldAsText(w, fmt.Sprintf("%s[%d]", name, i), inner); err != nil {
			return err
		}
	}
	return nil
}

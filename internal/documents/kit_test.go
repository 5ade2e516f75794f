package documents_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"strata/domain"
	"strata/internal/documents"
)

// TestMain lets the test binary stand in for strata, whose child reads PDF files.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == documents.ChildCommand {
		os.Exit(documents.ChildMain(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// stream hides that a reader can do more than read.
type stream struct{ io.Reader }

func sections(t *testing.T, c documents.Config, f documents.Format, data string) ([]documents.Section, error) {
	t.Helper()
	var out []documents.Section
	for s, err := range documents.New(c).Sections(t.Context(), stream{strings.NewReader(data)}, f) {
		if err != nil {
			return out, err
		}
		out = append(out, s)
	}
	return out, nil
}

// outline writes sections as "page|headings|text".
func outline(all []documents.Section) []string {
	var out []string
	for _, s := range all {
		out = append(out, fmt.Sprintf("%d|%s|%s", s.Page, strings.Join(s.Headings, ">"), s.Text))
	}
	return out
}

// rows writes records as "line: name=value,…", and faults as "line! message".
func rows(t *testing.T, c documents.Config, f documents.Format, data string) ([]string, error) {
	t.Helper()
	var out []string
	for row, err := range documents.New(c).Rows(t.Context(), stream{strings.NewReader(data)}, f) {
		if fault, ok := errors.AsType[*documents.Fault](err); ok {
			out = append(out, fmt.Sprintf("%d! %s", fault.Line, fault.Error()))
			continue
		}
		if err != nil {
			return out, err
		}
		var fields []string
		for _, field := range row.Fields {
			value := field.Value
			if raw, ok := value.(json.RawMessage); ok {
				value = string(raw)
			}
			fields = append(fields, fmt.Sprintf("%s=%v", field.Name, value))
		}
		out = append(out, fmt.Sprintf("%s%d: %s", row.Sheet, row.Line, strings.Join(fields, ",")))
	}
	return out, nil
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if a, b := strings.Join(got, "\n--\n"), strings.Join(want, "\n--\n"); a != b {
		t.Errorf("got\n%s\nwant\n%s", a, b)
	}
}

// refused checks the code of an error and that it names what is wrong.
func refused(t *testing.T, err error, code domain.Code, says string) {
	t.Helper()
	if err == nil || domain.CodeOf(err) != code || !strings.Contains(err.Error(), says) {
		t.Errorf("error %v, want %s saying %q", err, code, says)
	}
}

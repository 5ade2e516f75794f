package conformance

import (
	"fmt"
	"os"
	"strings"
)

// Operation is a documented operation.
type Operation struct {
	Product string // "inference" or "flotorch"
	Section string
	Method  string
	Path    string // with {parameters}
	Query   []Field
	Request []Field
	Answer  []Field
}

// Name is method and path.
func (o *Operation) Name() string { return o.Method + " " + o.Path }

// Field is a documented field. Its name may be a path: "usage.total_tokens".
type Field struct {
	Name     string
	Type     string // "string", "array<action>", …
	Required bool
	Enum     []string
}

// Elem is the type of a list's items, "" when the field is no list.
func (f Field) Elem() string {
	inner, ok := strings.CutPrefix(f.Type, "array<")
	if !ok {
		return ""
	}
	return strings.TrimSuffix(inner, ">")
}

// Resources are the fields of resources that answers hold, by name.
type Resources map[string][]Field

// ReadOperations reads the documented operations.
func ReadOperations(path string) ([]Operation, error) {
	var out []Operation
	err := eachRow(path, 7, func(c []string) error {
		o := Operation{Product: c[0], Section: c[1], Method: c[2], Path: c[3]}
		for i, into := range []*[]Field{&o.Query, &o.Request, &o.Answer} {
			fields, err := ParseFields(c[4+i])
			if err != nil {
				return fmt.Errorf("%s: %w", o.Name(), err)
			}
			*into = fields
		}
		out = append(out, o)
		return nil
	})
	return out, err
}

// ReadResources reads the fields of resources.
func ReadResources(path string) (Resources, error) {
	out := Resources{}
	err := eachRow(path, 4, func(c []string) error {
		f := Field{Name: c[1], Type: c[2]}
		if c[3] != "" {
			f.Enum = strings.Split(c[3], "|")
		}
		out[c[0]] = append(out[c[0]], f)
		return nil
	})
	return out, err
}

// eachRow goes through the rows of a table, without its head.
func eachRow(path string, columns int, do func(cells []string) error) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for i, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		cells := strings.Split(line, "\t")
		if len(cells) != columns {
			return fmt.Errorf("%s:%d: %d columns, not %d", path, i+1, len(cells), columns)
		}
		if i == 0 {
			continue
		}
		if err := do(cells); err != nil {
			return fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
	}
	return nil
}

// ParseFields reads a list of fields, as the package comment describes them.
func ParseFields(text string) ([]Field, error) {
	var out []Field
	for _, part := range splitTop(text) {
		f, err := parseField(part)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func parseField(text string) (Field, error) {
	name, rest, ok := strings.Cut(text, ":")
	if !ok || rest == "" {
		return Field{}, fmt.Errorf("%q is not name:type", text)
	}
	var f Field
	f.Name, f.Required = strings.CutSuffix(name, "*")
	if open := strings.IndexByte(rest, '{'); open >= 0 {
		closing := strings.IndexByte(rest, '}')
		if closing < open {
			return Field{}, fmt.Errorf("%q does not close its list of values", text)
		}
		f.Enum = strings.Split(rest[open+1:closing], "|")
		rest = rest[:open] + rest[closing+1:]
	}
	f.Type, _, _ = strings.Cut(rest, "=")
	return f, nil
}

// splitTop splits at commas that stand outside of any bracket.
func splitTop(text string) []string {
	var out []string
	depth, from := 0, 0
	for i, r := range text {
		switch r {
		case '<', '{':
			depth++
		case '>', '}':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, strings.TrimSpace(text[from:i]))
				from = i + 1
			}
		}
	}
	if rest := strings.TrimSpace(text[from:]); rest != "" {
		out = append(out, rest)
	}
	return out
}

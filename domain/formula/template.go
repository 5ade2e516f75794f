package formula

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"strata/domain"
)

// Template is a value of JSON in whose texts places {{…}} stand for expressions.
// A text that is one place and nothing else becomes the expression's value; in any
// other, values are written into the text.
type Template struct{ value any }

// part of a text: words as they are, or a place.
type part struct {
	words string
	place *Formula
}

// ParseTemplate reads a value's places. fault is called with the path below at of
// each that is wrong.
func ParseTemplate(value any, at string, fault func(path, message string)) *Template {
	return &Template{parseValue(value, at, fault)}
}

func parseValue(value any, at string, fault func(path, message string)) any {
	switch v := value.(type) {
	case string:
		parts, err := split(v)
		if err != nil {
			fault(at, err.Error())
			return v
		}
		if len(parts) == 1 && parts[0].place == nil {
			return v
		}
		return parts
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = parseValue(item, fmt.Sprintf("%s[%d]", at, i), fault)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) { // faults come in the same order every time
			out[k] = parseValue(v[k], at+"."+k, fault)
		}
		return out
	}
	return value
}

// split finds the places of a text.
func split(text string) ([]part, error) {
	var parts []part
	for {
		words, rest, found := strings.Cut(text, "{{")
		if words != "" || !found && len(parts) == 0 {
			parts = append(parts, part{words: words})
		}
		if !found {
			return parts, nil
		}
		place, after, err := cutPlace(rest)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{place: place})
		text = after
	}
}

// mostBraces bounds how many ends of a place are tried.
const mostBraces = 8

// cutPlace finds the end of a place: the first }} before which there is an
// expression, for an object in one may end with }} too.
func cutPlace(s string) (place *Formula, after string, err error) {
	at := 0
	for range mostBraces {
		i := strings.Index(s[at:], "}}")
		if i < 0 {
			break
		}
		f, fault := Parse(s[:at+i])
		if fault == nil {
			return f, s[at+i+2:], nil
		}
		if err == nil {
			err = fmt.Errorf("{{%s}} %w", s[:at+i], fault)
		}
		at += i + 1
	}
	if err == nil {
		err = fmt.Errorf("has {{ without }}")
	}
	return nil, "", err
}

// Members are the names of what the places take of a variable.
func (t *Template) Members(variable string) []string { return membersOf(t.value, variable) }

func membersOf(value any, variable string) (out []string) {
	switch v := value.(type) {
	case []part:
		for _, p := range v {
			if p.place != nil {
				out = append(out, p.place.Members(variable)...)
			}
		}
	case []any:
		for _, item := range v {
			out = append(out, membersOf(item, variable)...)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, membersOf(v[k], variable)...)
		}
	}
	return out
}

// Render fills the places. Errors as [Formula.Eval].
func (t *Template) Render(variables map[string]any) (any, error) {
	out, err := render(t.value, variables)
	if err != nil {
		return nil, err
	}
	if err := measure(out, maxResult); err != nil {
		return nil, domain.Errorf(domain.CodeValidation, "what the template makes %s", err)
	}
	return out, nil
}

func render(value any, variables map[string]any) (any, error) {
	switch v := value.(type) {
	case []part:
		return fill(v, variables)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			var err error
			if out[i], err = render(item, variables); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			var err error
			if out[k], err = render(item, variables); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return value, nil
}

func fill(parts []part, variables map[string]any) (any, error) {
	if len(parts) == 1 {
		return parts[0].place.Eval(variables)
	}
	var b strings.Builder
	for _, p := range parts {
		if p.place == nil {
			b.WriteString(p.words)
			continue
		}
		value, err := p.place.Eval(variables)
		if err != nil {
			return nil, err
		}
		switch v := value.(type) {
		case nil:
		case string:
			b.WriteString(v)
		default:
			text, err := json.Marshal(v)
			if err != nil {
				return nil, fmt.Errorf("write a value into a text: %w", err)
			}
			b.Write(text)
		}
		if b.Len() > maxResult {
			return nil, domain.Errorf(domain.CodeValidation, "what the template makes is larger than %d bytes", maxResult)
		}
	}
	return b.String(), nil
}

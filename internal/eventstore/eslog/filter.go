package eslog

import (
	"errors"
	"fmt"
	"strings"

	"strata/domain"
	"strata/streams"
)

// Filter selects events of the whole log by the name of their stream or by their
// type: those that a regular expression finds, or that begin with a prefix. A nil
// filter selects all.
type Filter struct {
	byType   bool
	regex    *expression
	prefixes []string
}

// NewFilter makes a filter by type, or else by stream. The text is a regular
// expression, not anchored; it counts if it is not empty, and otherwise any of the
// prefixes.
func NewFilter(byType bool, text string, prefixes []string) (*Filter, error) {
	f := &Filter{byType: byType, prefixes: prefixes}
	if text == "" {
		if len(prefixes) == 0 {
			return nil, errors.New("a filter needs an expression or a prefix")
		}
		return f, nil
	}
	regex, err := parseExpression(text)
	if err != nil {
		return nil, fmt.Errorf("the filter's expression: %w", err)
	}
	f.regex, f.prefixes = &regex, nil
	return f, nil
}

// Matches tells whether an event passes the filter.
func (f *Filter) Matches(r *Record) bool {
	if f == nil {
		return true
	}
	name := string(r.Stream)
	if f.byType {
		name = r.Type
	}
	if f.regex != nil {
		return f.regex.matches(name)
	}
	for _, p := range f.prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// coarse is what of the filter the log can apply by its indexes: it passes at
// least what the filter does.
func (f *Filter) coarse() *streams.Filter {
	everything := &streams.Filter{TypePrefixes: []string{""}} // names something, so system streams too
	switch {
	case f == nil || f.regex != nil:
		return everything
	case f.byType:
		return &streams.Filter{TypePrefixes: f.prefixes}
	}
	var categories []string
	for _, p := range f.prefixes {
		if !strings.Contains(p, "-") {
			return everything // it may be the beginning of a category
		}
		category := domain.StreamID(p).Category()
		categories = append(categories, category, "$$"+category) // tombstones lie there
	}
	return &streams.Filter{Categories: categories}
}

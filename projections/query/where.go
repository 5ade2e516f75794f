package query

import "strings"

// Where gathers conditions, all of which must hold. Values are always bound;
// only constants of ours ever become SQL text.
type Where struct {
	conditions []string
	args       []any
}

// And adds a condition with its arguments: And("created_at >= ?", since).
func (w *Where) And(condition string, args ...any) *Where {
	w.conditions = append(w.conditions, condition)
	w.args = append(w.args, args...)
	return w
}

// Eq adds "column = value".
func (w *Where) Eq(column string, value any) *Where { return w.And(column+" = ?", value) }

// EqIf adds "column = value" unless value is "", which means no filter.
func (w *Where) EqIf(column, value string) *Where {
	if value == "" {
		return w
	}
	return w.Eq(column, value)
}

// In adds "column is one of values"; no values means no filter.
func (w *Where) In(column string, values []string) *Where {
	if len(values) == 0 {
		return w
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	return w.And(column+" IN (?"+strings.Repeat(", ?", len(values)-1)+")", args...)
}

// Prefix adds "column begins with value", in a form that uses an index.
func (w *Where) Prefix(column, value string) *Where {
	if end, ok := successor(value); ok {
		return w.And(column+" >= ? AND "+column+" < ?", value, end)
	}
	return w.And(column+" >= ?", value)
}

// successor returns the first string after all that begin with s.
func successor(s string) (string, bool) {
	b := []byte(s)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return string(b[:i+1]), true
		}
	}
	return "", false
}

// SQL returns " WHERE …" or "".
func (w *Where) SQL() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

// Args returns the values to bind, in the order of SQL.
func (w *Where) Args() []any { return w.args }

// clone returns a copy that can be added to.
func (w *Where) clone() *Where {
	if w == nil {
		return &Where{}
	}
	return &Where{conditions: append([]string(nil), w.conditions...), args: append([]any(nil), w.args...)}
}

// MatchWords turns what a person typed into an FTS5 query: every word must
// occur, the last one may be unfinished. It returns "" when there is no word.
func MatchWords(search string) string {
	words := strings.FieldsFunc(search, func(r rune) bool { return r == '"' || r <= ' ' })
	if len(words) == 0 {
		return ""
	}
	for i, word := range words {
		words[i] = `"` + word + `"`
	}
	return strings.Join(words, " ") + "*"
}

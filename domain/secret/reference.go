package secret

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// namePattern is the form of a name.
const namePattern = `[A-Za-z][A-Za-z0-9._-]{0,99}`

var (
	place    = regexp.MustCompile(`\{\{\s*secret\.(` + namePattern + `)\s*\}\}`)
	anyPlace = regexp.MustCompile(`\{\{\s*secret\b[^}]*(\}\})?`)
)

// Names are the secrets that a text refers to, each once, in order: those of its
// places that read {{secret.name}}.
func Names(text string) []string {
	var out []string
	for _, m := range place.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	return out
}

// Fill puts something in the place of every reference. What it puts there is not
// looked at again.
func Fill(text string, with func(name string) string) string {
	if !strings.Contains(text, "{{") {
		return text
	}
	return place.ReplaceAllStringFunc(text, func(ref string) string { return with(place.FindStringSubmatch(ref)[1]) })
}

// Misspelt is a place of the text that is about a secret but names none, "" when
// there is none such.
func Misspelt(text string) string {
	for _, found := range anyPlace.FindAllString(text, -1) {
		if !place.MatchString(found) {
			return found
		}
	}
	return ""
}

// Hidden is what stands where a value was.
const Hidden = "***"

// Hide takes values out of a text.
func Hide(text string, values []string) string {
	for _, v := range values {
		if v != "" {
			text = strings.ReplaceAll(text, v, Hidden)
		}
	}
	return text
}

// HideIn takes values out of every text of a value of JSON, names of fields too.
func HideIn(value any, values []string) any {
	switch v := value.(type) {
	case string:
		return Hide(v, values)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = HideIn(item, values)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[Hide(k, values)] = HideIn(item, values)
		}
		return out
	case json.Number, float64: // a value may be all digits
		text, err := json.Marshal(v)
		if err == nil && Hide(string(text), values) != string(text) {
			return Hidden
		}
	}
	return value
}

// HideInJSON is HideIn for a value that is encoded. What holds none of the values
// comes back as it is.
func HideInJSON(raw json.RawMessage, values []string) json.RawMessage {
	if len(values) == 0 || len(raw) == 0 {
		return raw
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber() // numbers stay as they were written
	var v any
	if err := d.Decode(&v); err != nil {
		quoted, _ := json.Marshal(Hide(string(raw), values)) // no JSON: a text of it
		return quoted
	}
	hidden, err := json.Marshal(HideIn(v, values))
	if err != nil {
		return raw
	}
	if before, err := json.Marshal(v); err == nil && string(before) == string(hidden) {
		return raw
	}
	return hidden
}

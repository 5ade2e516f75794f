package tabular

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// Type is what a cell or a column holds.
type Type uint8

// The types. A column of which nothing but missing cells was seen is Missing.
const (
	Missing  Type = iota // no value
	Integer              // fits 64 bits
	Number               // a finite number
	Boolean              // true or false
	DateTime             // a moment or a day, UTC
	String               // anything else
)

// String implements fmt.Stringer with the names the API uses.
func (t Type) String() string {
	switch t {
	case Missing:
		return "null"
	case Integer:
		return "integer"
	case Number:
		return "number"
	case Boolean:
		return "boolean"
	case DateTime:
		return "datetime"
	}
	return "string"
}

// Join is the narrowest type that holds the cells of both. It is commutative,
// associative and idempotent, so that the order of rows does not matter.
func Join(a, b Type) Type {
	switch {
	case a == b || b == Missing:
		return a
	case a == Missing:
		return b
	case (a == Integer || a == Number) && (b == Integer || b == Number):
		return Number
	}
	return String
}

// Value is one cell. The zero Value is a missing one.
type Value struct {
	kind  Type
	flag  bool
	num   float64
	whole int64
	text  string // as written, where the file has text
	at    time.Time
}

// IntegerOf, NumberOf, BooleanOf, DateTimeOf and StringOf make values. A number
// that is not finite is a missing value.
func IntegerOf(n int64) Value { return Value{kind: Integer, whole: n, num: float64(n)} }

// NumberOf makes a number; one that is not finite is missing, and -0 is 0.
func NumberOf(x float64) Value {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return Value{}
	}
	return Value{kind: Number, num: x + 0} // there is one zero only
}

// BooleanOf makes a boolean.
func BooleanOf(b bool) Value {
	v := Value{kind: Boolean, flag: b}
	if b {
		v.num = 1
	}
	return v
}

// DateTimeOf makes a moment.
func DateTimeOf(t time.Time) Value { return Value{kind: DateTime, at: t.UTC()} }

// StringOf makes a text that is not looked into.
func StringOf(s string) Value { return Value{kind: String, text: s} }

// Type is the type of this cell alone.
func (v Value) Type() Type { return v.kind }

// IsMissing tells whether there is no value.
func (v Value) IsMissing() bool { return v.kind == Missing }

// Float is the value as a number: numbers as they are, booleans as 0 and 1,
// moments as seconds since 1970. Texts and missing values have none.
func (v Value) Float() (float64, bool) {
	switch v.kind {
	case Integer, Number, Boolean:
		return v.num, true
	case DateTime:
		return float64(v.at.Unix()) + float64(v.at.Nanosecond())/1e9, true
	}
	return 0, false
}

// Int is the value as an integer, when it is one.
func (v Value) Int() (int64, bool) { return v.whole, v.kind == Integer }

// Bool is the value as a boolean, when it is one.
func (v Value) Bool() (is, ok bool) { return v.flag, v.kind == Boolean }

// Time is the value as a moment, when it is one.
func (v Value) Time() (time.Time, bool) { return v.at, v.kind == DateTime }

// Text is the value as written in the file, or as it would be written; "" when
// it is missing.
func (v Value) Text() string {
	if v.text != "" {
		return v.text
	}
	switch v.kind {
	case Integer:
		return strconv.FormatInt(v.whole, 10)
	case Number:
		return strconv.FormatFloat(v.num, 'g', -1, 64)
	case Boolean:
		return strconv.FormatBool(v.flag)
	case DateTime:
		return v.at.Format(time.RFC3339Nano)
	}
	return ""
}

// As is the value as a member of a column of type t: in a text column
// everything is text, in a number column integers are numbers. A value that
// does not fit is missing.
func (v Value) As(t Type) Value {
	switch {
	case v.kind == t || v.kind == Missing:
		return v
	case t == String:
		return StringOf(v.Text())
	case t == Number && v.kind == Integer:
		return Value{kind: Number, num: v.num, text: v.text}
	}
	return Value{}
}

// MarshalJSON implements json.Marshaler: null, a number, a boolean or a text.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case Missing:
		return []byte("null"), nil
	case Integer:
		return strconv.AppendInt(nil, v.whole, 10), nil
	case Number:
		return json.Marshal(v.num)
	case Boolean:
		return strconv.AppendBool(nil, v.flag), nil
	case DateTime:
		return json.Marshal(v.at.Format(time.RFC3339Nano))
	}
	return json.Marshal(v.text)
}

// Parse types a cell written as text. Missing are the empty text and NA, N/A,
// NaN and null in the cases usual for them. A number with leading zeros is a
// text: it is a code of something, and the zeros belong to it.
func Parse(s string) Value {
	trimmed := strings.TrimSpace(s)
	switch trimmed {
	case "", "NA", "N/A", "NaN", "nan", "null", "NULL":
		return Value{}
	}
	if v, ok := parseNumber(trimmed); ok {
		return v
	}
	if len(trimmed) <= 5 {
		switch strings.ToLower(trimmed) {
		case "true":
			return Value{kind: Boolean, flag: true, num: 1, text: trimmed}
		case "false":
			return Value{kind: Boolean, text: trimmed}
		}
	}
	if t, ok := parseTime(trimmed); ok {
		return Value{kind: DateTime, at: t, text: trimmed}
	}
	return StringOf(s)
}

// parseNumber reads a decimal number. Only digits, a sign, a point and an
// exponent make one: "Infinity", "0x10" and "1_000" are texts.
func parseNumber(s string) (Value, bool) {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" || (digits[0] < '0' || digits[0] > '9') && digits[0] != '.' {
		return Value{}, false
	}
	if len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return Value{}, false
	}
	whole := true
	for i := range len(digits) {
		switch c := digits[i]; {
		case c >= '0' && c <= '9':
		case c == '.', c == 'e', c == 'E', c == '+', c == '-':
			whole = false
		default:
			return Value{}, false
		}
	}
	if whole {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return Value{kind: Integer, whole: n, num: float64(n), text: s}, true
		}
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(x, 0) {
		return Value{}, false
	}
	return Value{kind: Number, num: x, text: s}, true
}

// parseTime reads a day or a moment as ISO 8601 writes it.
func parseTime(s string) (time.Time, bool) {
	if len(s) < len(time.DateOnly) || s[4] != '-' || s[7] != '-' {
		return time.Time{}, false
	}
	layouts := []string{time.DateOnly}
	if len(s) > len(time.DateOnly) {
		layouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04", "2006-01-02 15:04"}
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

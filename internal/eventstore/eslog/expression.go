package eslog

import (
	"errors"
	"regexp"
	"strings"
)

// expression is a regular expression of a filter: one of RE2, whose time is
// linear in the text, and what must not stand at the beginning of the text. The
// latter is a negative look-ahead, which RE2 lacks, and by which clients leave
// out system events: "^(?!\$)".
type expression struct {
	not  *regexp.Regexp // nil = nothing
	find *regexp.Regexp
}

var errLookAround = errors.New("of look-arounds only a negative look-ahead at the beginning, ^(?!…), can be used")

func parseExpression(text string) (e expression, err error) {
	if inner, found := strings.CutPrefix(text, "^(?!"); found {
		end := outside(inner, ')')
		if end < 0 || outside(inner[end+1:], '|') >= 0 { // the look-ahead would belong to one of several
			return e, errLookAround
		}
		if e.not, err = regexp.Compile("^(?:" + inner[:end] + ")"); err != nil {
			return e, err
		}
		text = "^" + inner[end+1:]
	}
	e.find, err = regexp.Compile(text)
	return e, err
}

func (e *expression) matches(text string) bool {
	return (e.not == nil || !e.not.MatchString(text)) && e.find.MatchString(text)
}

// outside finds a character that is not within parentheses or a class, and not
// escaped.
func outside(text string, c byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case text[i] == c && depth == 0:
			return i
		case text[i] == '(':
			depth++
		case text[i] == ')':
			depth--
		case text[i] == '[':
			i = classEnd(text, i)
		}
	}
	return -1
}

// classEnd finds the end of the class that begins at a place. A bracket that
// closes nothing yet stands for itself.
func classEnd(text string, i int) int {
	i++
	if i < len(text) && text[i] == '^' {
		i++
	}
	for first := true; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case text[i] == ']' && !first:
			return i
		}
		first = false
	}
	return i
}

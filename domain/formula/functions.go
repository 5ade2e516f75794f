package formula

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
)

var errLarge = errors.New("it makes a text or list that is too large")

// functions are ours: those that meter, and bounded ones in the place of the
// library's whose results can be far larger than what they are given.
func functions() []expr.Option {
	return []expr.Option{
		expr.Function(tickName, func(args ...any) (any, error) { return args[1], args[0].(*meter).tick() }),
		expr.Function(costName, func(args ...any) (any, error) { return args[1], args[0].(*meter).cost(args[1]) }),
		expr.Function(sameName, func(args ...any) (any, error) { return args[0].(*meter).same(args[1], args[2]) }, new(func(*meter, any, any) bool)),
		expr.Function(withinName, func(args ...any) (any, error) { return args[0].(*meter).within(args[1], args[2]) }, new(func(*meter, any, any) bool)),
		expr.Function("join", join), expr.Function("replace", replace), expr.Function("concat", concat), expr.Function("flatten", flatten),
		expr.Function("toJSON", toJSON), expr.Function("string", text),
	}
}

func want(name string, args []any, least, most int) error {
	if len(args) < least || len(args) > most {
		return fmt.Errorf("%s takes %d to %d arguments, not %d", name, least, most, len(args))
	}
	return nil
}

func texts(name string, args []any) ([]string, error) {
	out := make([]string, len(args))
	for i, a := range args {
		s, is := a.(string)
		if !is {
			return nil, fmt.Errorf("%s takes texts", name)
		}
		out[i] = s
	}
	return out, nil
}

// join puts the texts of a list together: join(list) or join(list, between).
func join(args ...any) (any, error) {
	if err := want("join", args, 1, 2); err != nil {
		return nil, err
	}
	list, err := listOf("join", args[0])
	if err != nil {
		return nil, err
	}
	between, err := texts("join", args[1:])
	if err != nil {
		return nil, err
	}
	sep := strings.Join(between, "")
	var b strings.Builder
	for i, item := range list {
		s, is := item.(string)
		if !is {
			return nil, errors.New("join takes a list of texts")
		}
		if i > 0 {
			b.WriteString(sep)
		}
		if b.WriteString(s); b.Len() > maxResult {
			return nil, errLarge
		}
	}
	return b.String(), nil
}

// replace replaces every occurrence: replace(text, old, new).
func replace(args ...any) (any, error) {
	if err := want("replace", args, 3, 3); err != nil {
		return nil, err
	}
	s, err := texts("replace", args)
	if err != nil {
		return nil, err
	}
	if n := strings.Count(s[0], s[1]); len(s[0])+n*(len(s[2])-len(s[1])) > maxResult {
		return nil, errLarge
	}
	return strings.ReplaceAll(s[0], s[1], s[2]), nil
}

func listOf(name string, v any) ([]any, error) {
	switch list := v.(type) {
	case []any:
		return list, nil
	case []int:
		out := make([]any, len(list))
		for i, n := range list {
			out[i] = n
		}
		return out, nil
	case []string:
		out := make([]any, len(list))
		for i, s := range list {
			out[i] = s
		}
		return out, nil
	}
	return nil, fmt.Errorf("%s takes lists", name)
}

// concat makes one list of several.
func concat(args ...any) (any, error) {
	var out []any
	for _, a := range args {
		list, err := listOf("concat", a)
		if err != nil {
			return nil, err
		}
		if len(out)+len(list) > maxTicks {
			return nil, errLarge
		}
		out = append(out, list...)
	}
	return out, nil
}

// flatten makes one list of a list of lists, one level deep.
func flatten(args ...any) (any, error) {
	if err := want("flatten", args, 1, 1); err != nil {
		return nil, err
	}
	lists, err := listOf("flatten", args[0])
	if err != nil {
		return nil, err
	}
	var out []any
	for _, item := range lists {
		inner, is := item.([]any)
		if !is {
			inner = []any{item}
		}
		if len(out)+len(inner) > maxTicks {
			return nil, errLarge
		}
		out = append(out, inner...)
	}
	return slices.Clip(out), nil
}

// toJSON writes a value as JSON.
func toJSON(args ...any) (any, error) {
	if err := want("toJSON", args, 1, 1); err != nil {
		return nil, err
	}
	if err := measure(args[0], maxResult); err != nil {
		return nil, errLarge
	}
	b, err := json.Marshal(args[0])
	return string(b), err
}

// text writes a value into a text: texts as they are, all else as JSON.
func text(args ...any) (any, error) {
	if err := want("string", args, 1, 1); err != nil {
		return nil, err
	}
	if s, is := args[0].(string); is {
		return s, nil
	}
	return toJSON(args[0])
}

// measure tells when a value would take more bytes of JSON than allowed. It stops
// there: a value may refer to one part of it many times.
func measure(v any, most int) error {
	left := most
	if !fits(v, &left) {
		return fmt.Errorf("is larger than %d bytes", most)
	}
	return nil
}

func fits(v any, left *int) bool {
	*left -= 2
	switch v := v.(type) {
	case string:
		*left -= len(v)
	case []any:
		for _, item := range v {
			if *left < 0 || !fits(item, left) {
				return false
			}
		}
	case map[string]any:
		for k, item := range v {
			if *left -= len(k); *left < 0 || !fits(item, left) {
				return false
			}
		}
	case []int:
		*left -= 2 * len(v)
	case []string:
		for _, s := range v {
			*left -= len(s)
		}
	}
	return *left >= 0
}

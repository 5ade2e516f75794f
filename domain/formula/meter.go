package formula

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/expr-lang/expr/ast"
)

// meter counts what one evaluation uses.
type meter struct {
	ticks, memory int
	end           time.Time
}

var (
	errSteps  = errors.New("it takes too many steps")
	errTime   = errors.New("it takes too long")
	errMemory = errors.New("it makes too much data")
)

func (m *meter) tick() error {
	if m.ticks++; m.ticks > maxTicks {
		return errSteps
	}
	if m.ticks%64 == 0 && time.Now().After(m.end) {
		return errTime
	}
	return nil
}

// cost accounts for a value that was made; what it refers to is not made anew.
func (m *meter) cost(v any) error {
	switch v := v.(type) {
	case string:
		m.memory += len(v)
	case []any:
		m.memory += 16 * len(v)
	case map[string]any:
		m.memory += 48 * len(v)
	case nil, bool, int, float64:
	default:
		if r := reflect.ValueOf(v); r.Kind() == reflect.Slice || r.Kind() == reflect.Map {
			m.memory += 48 * r.Len()
		}
	}
	if m.memory > maxMemory {
		return errMemory
	}
	if time.Now().After(m.end) {
		return errTime
	}
	return nil
}

// same compares two values as deep as they are.
func (m *meter) same(a, b any) (bool, error) {
	if err := m.tick(); err != nil {
		return false, err
	}
	if x, is := number(a); is {
		y, also := number(b)
		return also && x == y, nil
	}
	switch a := a.(type) {
	case []any:
		b, also := b.([]any)
		if !also || len(a) != len(b) {
			return false, nil
		}
		for i := range a {
			if same, err := m.same(a[i], b[i]); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	case map[string]any:
		b, also := b.(map[string]any)
		if !also || len(a) != len(b) {
			return false, nil
		}
		for k := range a {
			other, has := b[k]
			if !has {
				return false, nil
			}
			if same, err := m.same(a[k], other); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	case nil:
		return b == nil, nil
	}
	alike := b != nil && reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable()
	return alike && a == b, nil
}

// within tells whether a list holds a value, or an object a key.
func (m *meter) within(v, in any) (bool, error) {
	switch in := in.(type) {
	case map[string]any:
		key, is := v.(string)
		_, has := in[key]
		return is && has, nil
	case nil:
		return false, nil
	case []any:
		for _, item := range in {
			if same, err := m.same(v, item); same || err != nil {
				return same, err
			}
		}
		return false, nil
	}
	r := reflect.ValueOf(in)
	if r.Kind() != reflect.Slice {
		return false, fmt.Errorf("the right side of in must be a list or an object")
	}
	for i := range r.Len() {
		if same, err := m.same(v, r.Index(i).Interface()); same || err != nil {
			return same, err
		}
	}
	return false, nil
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	}
	return 0, false
}

// metered rewrites an expression so that whatever it does is counted.
type metered struct{}

// Visit implements ast.Visitor. It is called for the parts before the whole.
func (*metered) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.PredicateNode:
		n.Node = call(tickName, n.Node)
	case *ast.BinaryNode:
		switch n.Operator {
		case "==":
			ast.Patch(node, call(sameName, n.Left, n.Right))
		case "!=":
			ast.Patch(node, &ast.UnaryNode{Operator: "!", Node: call(sameName, n.Left, n.Right)})
		case "in":
			ast.Patch(node, call(withinName, n.Left, n.Right))
		case "+", "..":
			ast.Patch(node, call(costName, n))
		}
	case *ast.BuiltinNode:
		ast.Patch(node, call(costName, n))
	case *ast.CallNode:
		if id, is := n.Callee.(*ast.IdentifierNode); is && own(id.Value) {
			return
		}
		ast.Patch(node, call(costName, n))
	}
}

func own(name string) bool {
	return name == tickName || name == costName || name == sameName || name == withinName
}

func call(name string, arguments ...ast.Node) ast.Node {
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: append([]ast.Node{&ast.IdentifierNode{Value: meterName}}, arguments...)}
}

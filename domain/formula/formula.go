package formula

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"strata/domain"
)

// The bounds of an expression.
const (
	maxText    = 4 << 10         // bytes of its source
	maxNodes   = 400             // parts it is made of
	maxTicks   = 200_000         // how often bodies of map, filter and the like run, and values are compared
	maxMemory  = 32 << 20        // bytes of all that it makes
	maxResult  = 1 << 20         // bytes of one text it makes, and of its value as JSON
	maxTime    = 2 * time.Second // for it to end in
	reserved   = "__"            // how the names begin that only this package may use
	meterName  = "__meter"
	costName   = "__cost"
	tickName   = "__tick"
	sameName   = "__same"
	withinName = "__within"
)

// Formula is an expression that is known to be well formed. It is safe for
// concurrent use.
type Formula struct {
	program *vm.Program
	members map[string][]string
}

// Parse reads an expression. The error says, in one line, what is wrong with it.
func Parse(text string) (*Formula, error) {
	if strings.TrimSpace(text) == "" {
		return nil, fmt.Errorf("is empty")
	}
	if len(text) > maxText {
		return nil, fmt.Errorf("is longer than %d bytes", maxText)
	}
	tree, err := parser.Parse(text)
	if err != nil {
		return nil, oneLine(err)
	}
	names := &foreignNames{members: map[string][]string{}}
	ast.Walk(&tree.Node, names)
	if names.found != "" {
		return nil, fmt.Errorf("uses the name %q, which means nothing here", names.found)
	}
	program, err := expr.Compile(text, options()...)
	if err != nil {
		return nil, oneLine(err)
	}
	return &Formula{program, names.members}, nil
}

func options() []expr.Option {
	out := []expr.Option{
		expr.Env(map[string]any{}), expr.AllowUndefinedVariables(), expr.Optimize(false), expr.MaxNodes(20 * maxNodes), expr.Patch(&metered{}),
	}
	for _, name := range append(without(), "replace", "join", "flatten", "concat", "toJSON", "string") {
		out = append(out, expr.DisableBuiltin(name))
	}
	return append(out, functions()...)
}

// oneLine leaves out the picture that the library draws of a mistake.
func oneLine(err error) error {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("is no expression: %s", line)
}

// without are functions of the library that there are none of here: their result
// depends on the moment, or is larger than it is worth.
func without() []string { return []string{"now", "timezone", "repeat", "uniq"} }

// foreignNames finds functions that there are not, and names that only this
// package may use.
type foreignNames struct {
	found   string
	members map[string][]string // by variable: names of what is taken of it
}

// Visit implements ast.Visitor.
func (v *foreignNames) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		v.look(n.Value)
	case *ast.VariableDeclaratorNode:
		v.look(n.Name)
	case *ast.MemberNode:
		of, named := n.Node.(*ast.IdentifierNode)
		name, said := n.Property.(*ast.StringNode)
		if named && said {
			v.members[of.Value] = append(v.members[of.Value], name.Value)
		}
	case *ast.CallNode:
		if id, is := n.Callee.(*ast.IdentifierNode); is {
			v.found = id.Value // what there is, the library knows
		}
	case *ast.BuiltinNode:
		if slices.Contains(without(), n.Name) {
			v.found = n.Name
		}
	}
}

func (v *foreignNames) look(name string) {
	if strings.HasPrefix(name, reserved) {
		v.found = name
	}
}

// Members are the names of what the expression takes of a variable: of nodes in
// "nodes.a + nodes.b" they are a and b.
func (f *Formula) Members(variable string) []string { return f.members[variable] }

// Eval computes the value for some variables, which are not changed. It is JSON:
// null, a boolean, a number, a text, a list or an object. Errors are
// VALIDATION_ERRORs without a field, fit for whoever wrote the expression.
func (f *Formula) Eval(variables map[string]any) (value any, err error) {
	env := make(map[string]any, len(variables)+1)
	for k, v := range variables {
		env[k] = v
	}
	env[meterName] = &meter{end: time.Now().Add(maxTime)}
	machine := vm.VM{MemoryBudget: maxTicks}
	value, err = machine.Run(f.program, env)
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, domain.Errorf(domain.CodeValidation, "the expression failed: %s", line)
	}
	return plain(value)
}

// True evaluates a condition, which must come to a boolean.
func (f *Formula) True(variables map[string]any) (bool, error) {
	value, err := f.Eval(variables)
	if err != nil {
		return false, err
	}
	truth, is := value.(bool)
	if !is {
		return false, domain.Errorf(domain.CodeValidation, "the condition is neither true nor false but %s", kindOf(value))
	}
	return truth, nil
}

// plain turns a value into what JSON has, and bounds its size.
func plain(value any) (any, error) {
	if err := measure(value, maxResult); err != nil {
		return nil, domain.Errorf(domain.CodeValidation, "the value of the expression %s", err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, domain.Errorf(domain.CodeValidation, "the value of the expression cannot be written as JSON")
	}
	var out any
	return out, json.Unmarshal(text, &out)
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a text"
	case float64:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "something else"
}

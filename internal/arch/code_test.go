package arch

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	maxFileLines     = 500
	maxFunctionLines = 60
)

// source is one package as written.
type source struct {
	folder string
	fset   *token.FileSet
	files  []*ast.File
}

// sources parses every package of the product, without tests.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	for _, p := range listPackages(t) {
		if p.forTests() {
			continue
		}
		s := source{folder: p.folder(), fset: token.NewFileSet()}
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(s.fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if !ast.IsGenerated(f) {
				s.files = append(s.files, f)
			}
		}
		out = append(out, s)
	}
	return out
}

// at names a place as "folder/file.go:line".
func (s source) at(pos token.Pos) string {
	p := s.fset.Position(pos)
	return fmt.Sprintf("%s/%s:%d", s.folder, filepath.Base(p.Filename), p.Line)
}

func TestNoInitFunctions(t *testing.T) {
	for _, s := range sources(t) {
		for _, f := range s.files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s: an init function; what happens at start is written in cmd/strata", s.at(fn.Pos()))
				}
			}
		}
	}
}

func TestFunctionsAreShort(t *testing.T) {
	used := map[string]bool{}
	for _, s := range sources(t) {
		for _, f := range s.files {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Body == nil {
					continue
				}
				lines := s.fset.Position(fn.End()).Line - s.fset.Position(fn.Pos()).Line + 1
				name := s.folder + "." + fn.Name.Name
				if lines <= maxFunctionLines {
					continue
				}
				if used[name] = true; longFunctions[name] == "" {
					t.Errorf("%s: %s has %d lines, more than %d", s.at(fn.Pos()), fn.Name.Name, lines, maxFunctionLines)
				}
			}
		}
	}
	unused(t, "longFunctions", longFunctions, used)
}

// TestNoMutableGlobals finds package variables that some function changes, and
// variables that exist to be changed (mutexes, maps for many goroutines). It
// type-checks each package alone, without its imports: that is enough to know
// which identifier is a package variable.
func TestNoMutableGlobals(t *testing.T) {
	used := map[string]bool{}
	for _, s := range sources(t) {
		info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
		conf := types.Config{Importer: noImports{}, Error: func(error) {}, DisableUnusedImportCheck: true}
		pkg, err := conf.Check("strata/"+s.folder, s.fset, s.files, info)
		if pkg == nil {
			t.Fatalf("%s: %v", s.folder, err)
		}
		for _, f := range s.files {
			for _, fault := range mutableGlobals(pkg, info, f) {
				name := s.folder + "." + fault.name
				if used[name] = true; mutableVariables[name] == "" {
					t.Errorf("%s: package variable %s %s", s.at(fault.pos), fault.name, fault.why)
				}
			}
		}
	}
	unused(t, "mutableVariables", mutableVariables, used)
}

type globalFault struct {
	name, why string
	pos       token.Pos
}

func mutableGlobals(pkg *types.Package, info *types.Info, f *ast.File) (faults []globalFault) {
	changed := func(e ast.Expr, why string) {
		if id := rootIdent(e); id != nil {
			if v, ok := info.Uses[id].(*types.Var); ok && v.Parent() == pkg.Scope() {
				faults = append(faults, globalFault{id.Name, why, id.Pos()})
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, e := range n.Lhs {
				changed(e, "is changed")
			}
		case *ast.IncDecStmt:
			changed(n.X, "is changed")
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "delete" || id.Name == "clear") && len(n.Args) > 0 {
				changed(n.Args[0], "is changed")
			}
		}
		return true
	})
	for _, d := range f.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR {
			continue
		}
		for _, spec := range gen.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok && shared(v.Type) {
				faults = append(faults, globalFault{v.Names[0].Name, "exists to be changed", v.Pos()})
			}
		}
	}
	return faults
}

// rootIdent is x in x, x[i], x.f and *x.
func rootIdent(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.IndexExpr:
		return rootIdent(e.X)
	case *ast.SelectorExpr:
		return rootIdent(e.X)
	case *ast.StarExpr:
		return rootIdent(e.X)
	case *ast.ParenExpr:
		return rootIdent(e.X)
	}
	return nil
}

// shared tells whether a declared type is one that goroutines share state
// with. A sync.Pool is not: nothing can be found in it again.
func shared(e ast.Expr) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if index, generic := e.(*ast.IndexExpr); generic {
		sel, ok = index.X.(*ast.SelectorExpr)
	}
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && (pkg.Name == "atomic" || pkg.Name == "sync" && slices.Contains([]string{"Map", "Mutex", "RWMutex", "WaitGroup"}, sel.Sel.Name))
}

// noImports answers every import with an error: package-level names of the
// package itself are known without them.
type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("not needed") }

// unused fails for exceptions that nothing needs any more.
func unused(t *testing.T, list string, allowed map[string]string, used map[string]bool) {
	t.Helper()
	for name, reason := range allowed {
		if !used[name] {
			t.Errorf("%s lists %s without need", list, name)
		}
		if strings.TrimSpace(reason) == "" {
			t.Errorf("%s lists %s without a reason", list, name)
		}
	}
}

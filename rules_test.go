package postrider_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// eachFile calls f with every source file of ours that is no test.
func eachFile(t *testing.T, f func(name string, fset *token.FileSet, file *ast.File)) {
	t.Helper()
	fset := token.NewFileSet()
	for name, p := range packages(t) {
		for _, base := range p.GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, base), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			f(name, fset, file)
		}
	}
}

func TestNoInit(t *testing.T) {
	eachFile(t, func(_ string, fset *token.FileSet, file *ast.File) {
		for _, d := range file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%v: an init function; what runs must not depend on what is imported", fset.Position(fn.Pos()))
			}
		}
	})
}

// TestNoEnvironment: settings come as values; only the programs look at the
// environment of the process.
func TestNoEnvironment(t *testing.T) {
	banned := []string{"Getenv", "LookupEnv", "Environ", "Setenv", "ExpandEnv", "Unsetenv"}
	eachFile(t, func(name string, fset *token.FileSet, file *ast.File) {
		if strings.HasPrefix(name, "cmd/") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && isIdent(s.X, "os") {
				for _, b := range banned {
					if s.Sel.Name == b {
						t.Errorf("%v: os.%s outside cmd", fset.Position(s.Pos()), b)
					}
				}
			}
			return true
		})
	})
}

func TestNoContextValue(t *testing.T) {
	eachFile(t, func(_ string, fset *token.FileSet, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && isIdent(s.X, "context") && s.Sel.Name == "WithValue" {
				t.Errorf("%v: a hidden parameter in a context", fset.Position(s.Pos()))
			}
			return true
		})
	})
}

// TestPackageVariablesAreNotWritten: a package variable is set where it is
// declared and never again. It sees assignments, not writes through a pointer
// or into a map.
func TestPackageVariablesAreNotWritten(t *testing.T) {
	vars := make(map[string]map[string]bool) // package, variable
	eachFile(t, func(name string, _ *token.FileSet, file *ast.File) {
		if vars[name] == nil {
			vars[name] = make(map[string]bool)
		}
		for _, d := range file.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, spec := range gen.Specs {
				for _, id := range spec.(*ast.ValueSpec).Names {
					vars[name][id.Name] = id.Name != "_"
				}
			}
		}
	})
	eachFile(t, func(name string, fset *token.FileSet, file *ast.File) {
		for _, d := range file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				for _, id := range assigned(fn, vars[name]) {
					t.Errorf("%v: package variable %s is written", fset.Position(id.Pos()), id.Name)
				}
			}
		}
	})
}

// assigned is the identifiers of vars that a function assigns to and does not
// declare itself.
func assigned(fn *ast.FuncDecl, vars map[string]bool) []*ast.Ident {
	local := make(map[string]bool)
	var written []*ast.Ident
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, id := range n.Names {
				local[id.Name] = true
			}
		case *ast.ValueSpec:
			for _, id := range n.Names {
				local[id.Name] = true
			}
		case *ast.RangeStmt:
			for _, e := range []ast.Expr{n.Key, n.Value} {
				if id, ok := e.(*ast.Ident); ok {
					local[id.Name] = local[id.Name] || n.Tok == token.DEFINE
				}
			}
		case *ast.IncDecStmt:
			if id := target(n.X); id != nil && vars[id.Name] {
				written = append(written, id)
			}
		case *ast.AssignStmt:
			for _, e := range n.Lhs {
				id := target(e)
				switch {
				case id == nil:
				case n.Tok == token.DEFINE:
					local[id.Name] = true
				case vars[id.Name]:
					written = append(written, id)
				}
			}
		}
		return true
	})
	var out []*ast.Ident
	for _, id := range written {
		if !local[id.Name] {
			out = append(out, id)
		}
	}
	return out
}

// target is the variable that an assignment to e changes.
func target(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		default:
			return nil
		}
	}
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

package accounts_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// literals are the texts in a package's code, without its tests, that match a pattern.
func literals(t *testing.T, dir, pattern string) (found []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../../auth", dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v", dir, err)
	}
	match := regexp.MustCompile("^(?:" + pattern + ")$")
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil && match.MatchString(text) {
					found = append(found, text)
				}
			}
			return true
		})
	}
	return found
}

// TestFilesDocumented: docs/courier-settings.md has exactly those settings of databases and
// directories as obeyed that their packages read.
func TestFilesDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/courier-settings.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := make(map[string]string)
	for section := range strings.SplitSeq(string(text), "\n## ") {
		name, rest, _ := strings.Cut(section, "\n")
		sections[name] = rest
	}
	clauses := literals(t, "sqlquery", `[A-Z]+(_[A-Z]+)+|DEFAULTDELIVERY`)
	withPrefix := func(prefix string, names []string) (all []string) {
		for _, n := range names {
			if n == "DEFAULT_DOMAIN" || strings.HasPrefix(n, prefix) {
				all = append(all, n)
			} else {
				all = append(all, prefix+n)
			}
		}
		return all
	}
	row := regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| (obeyed|accepted) \\| (.*?) ?\\|$")
	for file, read := range map[string][]string{
		"authmysqlrc":  withPrefix("MYSQL_", append(literals(t, "mysql", `MYSQL(_[A-Z]+)+`), clauses...)),
		"authpgsqlrc":  withPrefix("PGSQL_", append(literals(t, "pgsql", `PGSQL(_[A-Z]+)+|[A-Z]{3,}`), clauses...)),
		"authsqliterc": withPrefix("SQLITE_", append(literals(t, "sqlite", `SQLITE(_[A-Z]+)+`), clauses...)),
		"authldaprc":   literals(t, "ldap", `LDAP(_[A-Z]+)+`),
	} {
		var told []string
		for _, m := range row.FindAllStringSubmatch(sections[file], -1) {
			switch m[2] {
			case "obeyed":
				told = append(told, m[1])
			case "accepted":
				if m[3] == "" {
					t.Errorf("%s, %s: the page does not say why it does nothing", file, m[1])
				}
			}
		}
		slices.Sort(told)
		slices.Sort(read)
		if d := cmp.Diff(slices.Compact(read), told); d != "" {
			t.Errorf("%s: read by the code (-), on the page (+):\n%s", file, d)
		}
	}
}

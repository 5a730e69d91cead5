package sqlquery

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mysqlLike() Dialect {
	return Dialect{Parameter: func(int) string { return "?" }, Backslash: true, DoubleQuoted: true, HashIsComment: true}
}

func standard() Dialect {
	return Dialect{Parameter: func(n int) string { return "$" + string(rune('0'+n)) }}
}

func TestCompile(t *testing.T) {
	values := map[string]string{"local_part": `o'neil`, "domain": "example.com"}
	for _, c := range []struct {
		dialect Dialect
		in, out string
		args    []any
	}{
		{mysqlLike(), "SELECT 1", "SELECT 1", []any{}},
		{mysqlLike(), "id='$(local_part)' AND d=\"$(domain)\"", "id=? AND d=?", []any{"o'neil", "example.com"}},
		{mysqlLike(), `id='a''b\'\n$(local_part)@$(domain)c'`, "id=?", []any{"a'b'\no'neil@example.comc"}},
		{mysqlLike(), "a='x\\'' AND `b'c`='$(other)' # it's\n", "a='x\\'' AND `b'c`=? # it's\n", []any{""}},
		{standard(), `a='$(local_part)' AND "q'" = '$(domain)' -- it's`, `a=$1 AND "q'" = $2 -- it's`, []any{"o'neil", "example.com"}},
		{standard(), `a='x\' AND b='$(domain)' /* it's */`, `a='x\' AND b=$1 /* it's */`, []any{"example.com"}},
		{standard(), `a='$(local_part)$(domain)'`, `a=$1`, []any{"o'neilexample.com"}},
	} {
		q, err := c.dialect.Compile(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if d := cmp.Diff(c.args, q.Arguments(values)); q.Text != c.out || d != "" {
			t.Errorf("%s is %s %s", c.in, q.Text, d)
		}
	}
	for _, in := range []string{"id=$(local_part)", `"$(local_part)"=1`, "'$(local_part'", "'open", "/* $(x) */", "-- $(x)", "/* open", "`open"} {
		if q, err := standard().Compile(in); err == nil {
			t.Errorf("%s is taken as %s", in, q.Text)
		}
	}
}

// Whatever the clause: what a login holds stays out of the SQL.
func FuzzCompile(f *testing.F) {
	f.Add(true, `id='$(local_part)' AND d="$(domain)" -- x`)
	f.Add(false, "a='x\\'$(local_part)'")
	f.Fuzz(func(t *testing.T, mysql bool, clause string) {
		d := standard()
		d.Parameter = func(int) string { return "?" }
		if mysql {
			d = mysqlLike()
		}
		q, err := d.Compile(clause)
		if err != nil {
			return
		}
		const mark = "\x01mark\x01"
		args := q.Arguments(map[string]string{"local_part": mark, "domain": mark})
		if strings.Contains(q.Text, mark) && !strings.Contains(clause, mark) {
			t.Fatalf("%q became %q", clause, q.Text)
		}
		if strings.Count(q.Text, "?") < len(args) {
			t.Fatalf("%q has %d parameters in %q", clause, len(args), q.Text)
		}
		if !mysql && strings.Contains(q.Text, "$(") { // "\\$" is a dollar sign there
			t.Fatalf("%q keeps a substitution: %q", clause, q.Text)
		}
	})
}

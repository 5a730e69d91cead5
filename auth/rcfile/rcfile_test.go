package rcfile

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const marker = "##NAME: MARKER:0\n"

func TestParse(t *testing.T) {
	got, err := Parse(strings.NewReader(marker + `
# comment
MYSQL_SERVER	mysql.example.com  	
MYSQL_SERVER another
MYSQL_WHERE_CLAUSE server='mailhost' \
	AND active=1
EMPTY
PASSWORD a b # c
`))
	want := Values{"MYSQL_SERVER": "mysql.example.com", "MYSQL_WHERE_CLAUSE": "server='mailhost'  \tAND active=1", "EMPTY": "", "PASSWORD": "a b # c"}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	for text, want := range map[string]string{
		"A b\n":           "MARKER",
		marker + " A b\n": "line 2",
		marker + "A " + strings.Repeat("x", 70000):                    "line 2",
		marker + strings.Repeat("A xxxxxxxxxxxxxxxxxxxxxx\\\n", 5000): "line 2",
	} {
		if _, err := Parse(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(marker + "A b\\\nc\nB d")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		for name := range v {
			if name == "" || strings.ContainsAny(name, " \t\n") || name[0] == '#' {
				t.Fatalf("%q gives the name %q", text, name)
			}
		}
	})
}

type closer struct{ value string }

func (closer) Close() error { return nil }

// A file that changes counts at once; one that became bad changes nothing.
func TestSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rc")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(marker + "A one\n")
	s, err := Open(path, func(v Values) (io.Closer, error) { return closer{v["A"]}, nil }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	want := func(value string) {
		t.Helper()
		s.looked = time.Time{}
		if got := s.Get().(closer).value; got != value {
			t.Errorf("got %q, want %q", got, value)
		}
	}
	want("one")
	write(marker + "A another\n")
	want("another")
	write("A half of a fi")
	want("another")
	write(marker + "A third\n")
	want("third")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil {
		t.Error("a password that everybody can read is taken")
	}
}

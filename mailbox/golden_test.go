package mailbox_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/vfs/memfs"
)

// names replaces what differs from run to run, the parts of file names that make them
// unique, and what is the business of package index, how long a write is.
type names map[string]string

func (n names) tidy(line string) string {
	fileName, indexWrite := regexp.MustCompile(`(tmp|new|cur)/[^ :]+`), regexp.MustCompile(`^(write|sync|allocate) (\S*/postrider/\w+)\S*.*`)
	line = indexWrite.ReplaceAllString(line, "$1 $2")
	return fileName.ReplaceAllStringFunc(line, func(s string) string {
		dir, base, _ := strings.Cut(s, "/")
		if n[base] == "" {
			n[base] = fmt.Sprintf("<%d>", len(n)+1)
		}
		return dir + "/" + n[base]
	})
}

var update = flag.Bool("update", false, "write the golden files anew")

// The file operations of each change, for a reviewer to read: in which order things
// become durable. "go test -run Operations -update" writes the list anew.
func TestOperations(t *testing.T) {
	var out strings.Builder
	for _, sc := range scenarios() {
		w := newSite(t, memfs.Options{})
		boxes := w.furnish()
		if sc.outside != nil {
			sc.outside(w, boxes)
		}
		n := names{}
		fmt.Fprintf(&out, "# %s\n", sc.name)
		w.fs.Log(func(op string) { fmt.Fprintln(&out, n.tidy(op)) })
		if err := sc.run(t.Context(), boxes); err != nil {
			t.Fatal(err)
		}
		w.fs.Log(nil)
		out.WriteByte('\n')
		for _, b := range boxes {
			b.done()
		}
	}
	const golden = "testdata/operations.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Error(diff)
	}
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tree describes everything below dir: names, modes, times, owners, contents.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := os.Lstat(path)
		if err != nil {
			return err
		}
		line := fmt.Sprint(path, " ", st.Mode(), " ", st.ModTime().UnixNano())
		switch {
		case st.Mode().IsRegular():
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %q", text)
		case st.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + to
		}
		all = append(all, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// oddTree is a directory with accounts of every kind, some of them odd. All is old,
// so that a change shows in its times.
func oddTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"jane/Maildir/courierimapuiddb":           "1 795384139 9\n1 1.a\n2 2.a\nnonsense\n2 3.a\n",
		"jane/Maildir/courierimapkeywords/:list":  "Work\n\n1.a:0\n",
		"jane/Maildir/courierimapsubscribed":      "INBOX.Sent\n",
		"jane/Maildir/maildirsize":                "100S\n",
		"jane/Maildir/cur/1.a:2,S":                "x\n",
		"jane/Maildir/cur/2.a:2,":                 "x\n",
		"jane/Maildir/new/4.a":                    "x\n",
		"jane/Maildir/tmp/left.over":              "x\n",
		"jane/Maildir/.Sent/cur/1.b:2,S":          "x\n",
		"jane/Maildir/.Sent/new/.keep":            "",
		"jane/Maildir/.Sent/courierimapacl":       "owner aceilrstwx\n",
		"jane/Maildir/.broken/cur/1.c:2,":         "x\n",
		"jane/Maildir/.notmp/cur/1.f:2,":          "x\n",
		"jane/Maildir/.notmp/new/.keep":           "",
		"jane/Maildir/.INBOX/cur/.keep":           "",
		"jane/Maildir/.both/courierimapuiddb":     "1 5 2\n1 1.d\n",
		"jane/Maildir/.both/dovecot-uidlist":      "3 V6 N9\n8 :1.d\n",
		"jane/Maildir/.both/cur/1.d:2,":           "x\n",
		"jane/Maildir/.both/new/.keep":            "",
		"jane/Maildir/.both/tmp/.keep":            "",
		"example.org/joe/dovecot-uidlist":         "5 what\n",
		"example.org/joe/dovecot.index.log":       "\x01",
		"example.org/joe/cur/1.e:2,":              "x\n",
		"example.org/joe/cur/sub/.keep":           "",
		"example.org/joe/new/.keep":               "",
		"example.org/joe/tmp/.keep":               "",
		"example.org/joe/subscriptions":           "V\t2\n\nSent\n",
		"example.org/joe/.Gone/dovecot.index.log": "\x01",
		"example.org/joe/.Gone/cur/.keep":         "",
		"example.org/joe/.Gone/new/.keep":         "",
		"example.org/joe/.Gone/tmp/.keep":         "",
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/nowhere", filepath.Join(dir, "jane/Maildir/.Link")); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-24 * time.Hour)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		return os.Chtimes(path, old, old)
	})
	newer := filepath.Join(dir, "jane/Maildir/.both/dovecot-uidlist")
	if err = errors.Join(err, os.Chtimes(newer, old, old.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	return dir
}

func runAdopt(args ...string) (string, string, error) {
	var out, said bytes.Buffer
	c := newRoot()
	c.SetArgs(append([]string{"adopt"}, args...))
	c.SetOut(&out)
	c.SetErr(&said)
	err := c.Execute()
	return out.String(), said.String(), err
}

// A dry run changes nothing, not even a time, and names what is odd.
func TestAdoptDryRun(t *testing.T) {
	t.Setenv("LOG_LEVEL", "warn")
	dir := oddTree(t)
	before := tree(t, dir)
	for _, more := range [][]string{{}, {"--json"}} {
		out, said, err := runAdopt(append(more, "--dry-run", dir)...)
		if !errors.Is(err, exitOdd) || said != "" {
			t.Errorf("got %v, %q", err, said)
		}
		if d := cmp.Diff(before, tree(t, dir)); d != "" {
			t.Fatalf("adopt %q --dry-run changed the tree:\n%s", more, d)
		}
		for _, want := range []string{
			dir + "/jane/Maildir", dir + "/example.org/joe", "courierimapuiddb: 2 lines are damaged", "it has no new", "it has no tmp",
			"is no mailbox's", "notmp: 1 messages", "is a symbolic link", "maildirsize", "courierimapacl", "UIDVALIDITY 6, UIDNEXT 9, 1 with UID", "courierimapuiddb is there too",
			"dovecot-uidlist is not gone on with", "1 entries of cur are no files", "is not here: name its control directory", "UIDVALIDITY 795384139, UIDNEXT 9, 2 with UID, 1 without, 0 gone; keywords: Work",
		} {
			if len(more) > 0 && (strings.Contains(want, "UIDVALIDITY") || strings.Contains(want, "too") || strings.Contains(want, "1 messages")) {
				continue // put in words in the text alone
			}
			if !strings.Contains(out, want) {
				t.Errorf("%q is missing in\n%s", want, out)
			}
		}
	}
}

// Without --dry-run every mailbox is opened; a second time there is nothing to do.
func TestAdopt(t *testing.T) {
	t.Setenv("LOG_LEVEL", "error")
	dir := oddTree(t)
	out, said, err := runAdopt(dir)
	// Courier's list in a folder that Dovecot served last has another UIDVALIDITY, which
	// may be told now or when the folder is used.
	for line := range strings.Lines(said) {
		if !strings.Contains(line, "it is not kept current") {
			t.Errorf("it says %q", line)
		}
	}
	if !errors.Is(err, exitOdd) {
		t.Errorf("got %v\n%s", err, out)
	}
	for _, box := range []string{"jane/Maildir", "jane/Maildir/.Sent", "jane/Maildir/.both", "example.org/joe", "example.org/joe/.Gone"} {
		if _, err := os.Stat(filepath.Join(dir, box, "postrider/journal")); err != nil {
			t.Error(err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "example.org/joe/courierimapsubscribed")); string(text) != "INBOX.Sent\n" {
		t.Errorf("subscribed are %q, %v", text, err)
	}
	if out, _, _ = runAdopt("--dry-run", dir); strings.Contains(out, "UIDVALIDITY 795384139") || !strings.Contains(out, "Postrider has it already") {
		t.Errorf("the second time it says\n%s", out)
	}
}

// Somebody else's Maildir is looked at, not opened: root's files in it would be of no
// use to its server.
func TestAdoptForeign(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("run as root: only root can give files away")
	}
	t.Setenv("LOG_LEVEL", "error")
	dir := oddTree(t)
	if err := os.Chown(filepath.Join(dir, "example.org/joe"), 14300, 14300); err != nil {
		t.Fatal(err)
	}
	before := tree(t, filepath.Join(dir, "example.org/joe"))
	out, _, err := runAdopt(filepath.Join(dir, "example.org"))
	if !errors.Is(err, exitFailed) || !strings.Contains(out, "error: ") || !strings.Contains(out, "belongs to uid 14300") {
		t.Errorf("got %v\n%s", err, out)
	}
	if d := cmp.Diff(before, tree(t, filepath.Join(dir, "example.org/joe"))); d != "" {
		t.Errorf("it changed:\n%s", d)
	}
}

func TestFindMaildirs(t *testing.T) {
	dir := oddTree(t)
	for from, want := range map[string][]found{
		"":                {{root: "example.org/joe", user: "example.org/joe"}, {root: "jane/Maildir", user: "jane"}},
		"jane":            {{root: "jane/Maildir", user: "jane"}},
		"jane/Maildir":    {{root: "jane/Maildir", user: "jane"}},
		"example.org/joe": {{root: "example.org/joe", user: "joe"}},
	} {
		got, err := findMaildirs(filepath.Join(dir, from))
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i].root, _ = filepath.Rel(dir, got[i].root)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(found{})); d != "" {
			t.Errorf("%q: %s", from, d)
		}
	}
}

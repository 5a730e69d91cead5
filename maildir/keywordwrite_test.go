package maildir

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"strings"
	"syscall"
	"testing"
	"time"

	"postrider/vfs"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// The life of an update at a known time (slot 5984615), as Courier leads it.
func TestKeywordUpdateLives(t *testing.T) {
	now := time.Unix(1795384515, 0)
	f := keywordFolder(t, nil)
	f.o.Now = func() time.Time { return now }
	if err := f.WriteKeywords("1.host,S=29", []string{"Work", "$Junk"}); err != nil {
		t.Fatal(err)
	}
	if got := keywordNames(t, f); got != "1.host,S=29" {
		t.Errorf("after the write there are %s", got)
	}
	all := map[string][]string{"1.host,S=29": {"Work", "$Junk"}}
	for _, step := range []struct {
		later time.Duration
		names string
	}{
		{0, ".5984616.1.host,S=29 :list"},
		{slotLen * time.Second, ".5984616.1.host,S=29 :list"},
		{2 * slotLen * time.Second, ":list"},
	} {
		now = time.Unix(1795384515, 0).Add(step.later)
		if err := f.StoreKeywords(all); err != nil {
			t.Fatal(err)
		}
		if got := keywordNames(t, f); got != step.names {
			t.Errorf("%v later there are %s, want %s", step.later, got, step.names)
		}
		if got, err := f.ReadKeywords(); err != nil || keywordText(got) != "1.host,S=29=$Junk,Work" {
			t.Errorf("%v later: %s, %v", step.later, keywordText(got), err)
		}
	}
	d, _ := f.Dir().OpenDir(CourierKeywords)
	if got := fileText(t, d, ":list"); got != "$Junk\nWork\n\n1.host,S=29:0 1\n" && got != "Work\n$Junk\n\n1.host,S=29:0 1\n" {
		t.Errorf("the list is %q", got)
	}
	if err := f.StoreKeywords(map[string][]string{"1.host,S=29": nil}); err != nil {
		t.Fatal(err)
	}
	if got := keywordNames(t, f); got != ".5984618.1.host,S=29" {
		t.Errorf("without keywords there are %s", got)
	}
}

// A second update waits for nobody: the first goes into the list.
func TestWriteKeywordsTwice(t *testing.T) {
	f := keywordFolder(t, map[string]string{"2.h": "Other\n", ":list": "Old\n\n3.h:0\n"})
	for _, words := range [][]string{{"A"}, {"B", "C"}, nil} {
		if err := f.WriteKeywords("1.h", words); err != nil {
			t.Fatal(err)
		}
		got, err := f.ReadKeywords()
		if err != nil || strings.Join(got["1.h"], ",") != strings.Join(words, ",") {
			t.Errorf("%q was written, %s read: %v", words, keywordText(got), err)
		}
		if strings.Join(got["2.h"], ",") != "Other" || strings.Join(got["3.h"], ",") != "Old" {
			t.Errorf("the others have %s", keywordText(got))
		}
	}
	if err := f.WriteKeywords("../x", nil); err == nil {
		t.Error("a name that is no base name is written")
	}
}

func TestWriteKeywordsWithoutLinks(t *testing.T) {
	inner := memfs.New(memfs.Options{})
	newFolder(t, inner, "/m")
	f := openFolder(t, faultfs.Wrap(inner, func(op faultfs.Op) error {
		if op.Kind == "link" {
			return syscall.EPERM
		}
		return nil
	}))
	for _, words := range [][]string{{"A"}, {"B"}} {
		if err := f.WriteKeywords("1.h", words); err != nil {
			t.Fatal(err)
		}
		if got, err := f.ReadKeywords(); err != nil || keywordText(got) != "1.h="+words[0] {
			t.Errorf("%s, %v", keywordText(got), err)
		}
	}
	if got := keywordNames(t, f); got != "1.h" {
		t.Errorf("there are %s", got)
	}
}

// Very many sets at once are one list, over updates that said otherwise.
func TestStoreManyKeywords(t *testing.T) {
	f := keywordFolder(t, map[string]string{"5.h": "Other\n", ".99999999.6.h": "Other\n", "gone.h": "Other\n", ":list": "Old\n\ngone2.h:0\n7.h:0\n"})
	sets := map[string][]string{"7.h": nil}
	for i := range 1000 {
		if i != 7 {
			sets[fmt.Sprintf("%d.h", i)] = []string{"Junk", fmt.Sprint("k", i%10)}
		}
	}
	if err := f.StoreKeywords(sets); err != nil {
		t.Fatal(err)
	}
	got, err := f.ReadKeywords()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(got["gone.h"], "") != "Other" {
		t.Error("the update of a message that may be about to appear is gone")
	}
	delete(got, "gone.h")
	want := maps.Clone(sets)
	delete(want, "7.h")
	if keywordText(got) != keywordText(want) {
		t.Errorf("%s, want %s", keywordText(got), keywordText(want))
	}
	if names := strings.Fields(keywordNames(t, f)); len(names) > 3 {
		t.Errorf("%d names: %s", len(names), names)
	}
	d, _ := f.Dir().OpenDir(CourierKeywords)
	if err := d.SetTimes("gone.h", time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	putFile(t, d, keywordsTemp+"17.x", "")
	if err := d.SetTimes(keywordsTemp+"17.x", time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := f.StoreKeywords(sets); err != nil {
		t.Fatal(err)
	}
	if got := keywordNames(t, f); got != ":list" {
		t.Errorf("after an hour there are %s", got)
	}
}

// Nothing to say, no directory.
func TestStoreNoKeywords(t *testing.T) {
	f := keywordFolder(t, nil)
	if err := f.StoreKeywords(map[string][]string{"1.h": nil}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Dir().Stat(CourierKeywords); err == nil {
		t.Error("a directory was made for nothing")
	}
	if s, _, err := f.KeywordsStamp(); s != "" || err != nil {
		t.Errorf("a stamp of nothing: %q, %v", s, err)
	}
	if err := f.WriteKeywords("1.h", []string{"A"}); err != nil {
		t.Fatal(err)
	}
	if s, at, err := f.KeywordsStamp(); s == "" || at.IsZero() || err != nil {
		t.Errorf("stamp %q, %v, %v", s, at, err)
	}
}

// keywordChanges are ways to change message 1.h from Old to New.
func keywordChanges() map[string]func(*Folder) error {
	return map[string]func(*Folder) error{
		"one":  func(f *Folder) error { return f.WriteKeywords("1.h", []string{"New"}) },
		"some": func(f *Folder) error { return f.StoreKeywords(map[string][]string{"1.h": {"New"}, "2.h": {"Stays"}}) },
		"many": func(f *Folder) error {
			sets := map[string][]string{"1.h": {"New"}, "2.h": {"Stays"}}
			for i := range 2 * fewKeywords {
				sets[fmt.Sprint("x", i)] = []string{"New"}
			}
			return f.StoreKeywords(sets)
		},
	}
}

// keywordStart is a folder where an unconsolidated update waits; all of it is on disk.
func keywordStart(t *testing.T, fsys vfs.FS) {
	f := newFolder(t, fsys, "/m")
	for _, set := range []map[string][]string{{"1.h": {"Older"}, "2.h": {"Stays"}}, {"1.h": {"Old"}, "2.h": {"Stays"}}} {
		if err := f.StoreKeywords(set); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.WriteKeywords("1.h", []string{"Old"}); err != nil {
		t.Fatal(err)
	}
}

// Power is lost before each operation: the message has the old set or the new one, the
// new one once it was said to be written, and nobody else's changes.
func TestKeywordsSurvivePowerLoss(t *testing.T) {
	for name, change := range keywordChanges() {
		t.Run(name, func(t *testing.T) {
			fsys := memfs.New(memfs.Options{})
			keywordStart(t, fsys)
			moments, done := 0, false
			look := func() {
				moments++
				for kept := range 4 {
					n := 0
					left := fsys.CrashClone(func(string) bool { n++; return kept == 1 || kept > 1 && n%2 == kept%2 })
					sets, err := openFolder(t, left).ReadKeywords()
					one, two := strings.Join(sets["1.h"], ","), strings.Join(sets["2.h"], ",")
					if err != nil || one != "New" && (done || one != "Old") || two != "Stays" {
						t.Errorf("operation %d, %d kept: %s, %v", moments, kept, keywordText(sets), err)
					}
				}
			}
			watched := faultfs.Wrap(fsys, func(faultfs.Op) error { look(); return nil })
			if err := change(openFolder(t, watched)); err != nil {
				t.Fatal(err)
			}
			done = true
			look()
			if moments < 8 {
				t.Errorf("only %d moments were looked at", moments)
			}
		})
	}
}

// Each operation fails once: the old set or the new one, no other's change.
func TestKeywordsFail(t *testing.T) {
	for name, change := range keywordChanges() {
		t.Run(name, func(t *testing.T) {
			for n := 1; ; n++ {
				fsys := memfs.New(memfs.Options{})
				keywordStart(t, fsys)
				armed, seen := false, 0
				f := openFolder(t, faultfs.Wrap(fsys, func(faultfs.Op) error {
					if armed {
						if seen++; seen == n {
							return io.ErrShortWrite
						}
					}
					return nil
				}))
				armed = true
				err := change(f)
				past := seen < n
				armed = false
				sets, rerr := f.ReadKeywords()
				one, two := strings.Join(sets["1.h"], ","), strings.Join(sets["2.h"], ",")
				if rerr != nil || one != "New" && (err == nil || one != "Old") || two != "Stays" {
					t.Errorf("operation %d (%v): %s, %v", n, err, keywordText(sets), rerr)
				}
				f.tmp.List(func(name string, _ vfs.Type) bool {
					if _, serr := f.tmp.Stat(name); serr != fs.ErrNotExist {
						t.Errorf("operation %d: left in tmp: %s", n, name)
					}
					return true
				})
				if past {
					return
				}
			}
		})
	}
}

package maildir

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"postrider/mail"
	"postrider/vfs"
	"postrider/vfs/memfs"
)

// keywordText is a map of keywords in an order.
func keywordText(sets map[string][]string) string {
	var b strings.Builder
	for _, base := range slices.Sorted(maps.Keys(sets)) {
		fmt.Fprintf(&b, "%s=%s ", base, strings.Join(sets[base], ","))
	}
	return strings.TrimSpace(b.String())
}

func keywordFolder(t testing.TB, files map[string]string) *Folder {
	t.Helper()
	f := newFolder(t, memfs.New(memfs.Options{}), "/m")
	if files == nil {
		return f
	}
	if err := f.Dir().Mkdir(CourierKeywords, 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := f.Dir().OpenDir(CourierKeywords)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for name, text := range files {
		putFile(t, d, name, text)
	}
	return f
}

// keywordNames is what lies in courierimapkeywords.
func keywordNames(t testing.TB, f *Folder) string {
	t.Helper()
	d, err := f.Dir().OpenDir(CourierKeywords)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var names []string
	if err := d.List(func(name string, _ vfs.Type) bool { names = append(names, name); return true }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestReadKeywords(t *testing.T) {
	const list = "Work\n$Forwarded\n\n1.host,S=29:0 1\n2.host,S=80:1\n"
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"nothing", nil, ""},
		{"an empty directory", map[string]string{}, ""},
		{"the list", map[string]string{":list": list}, "1.host,S=29=$Forwarded,Work 2.host,S=80=$Forwarded"},
		{"an update wins", map[string]string{":list": list, "2.host,S=80": "Junk\n"}, "1.host,S=29=$Forwarded,Work 2.host,S=80=Junk"},
		{"an empty update removes", map[string]string{":list": list, "1.host,S=29": ""}, "2.host,S=80=$Forwarded"},
		{"consolidated ones win, too, the newest", map[string]string{":list": list, ".9.1.host,S=29": "A\n", ".10.1.host,S=29": "B\n"}, "1.host,S=29=B 2.host,S=80=$Forwarded"},
		{"a plain one is newer than all", map[string]string{":list": list, ".99.1.host,S=29": "A\n", "1.host,S=29": "B\n"}, "1.host,S=29=B 2.host,S=80=$Forwarded"},
		{"it ends at an empty line", map[string]string{"x": "A\n\nB\n"}, "x=A"},
		{"without an end of line", map[string]string{"x": "A\nB"}, "x=A,B"},
		{"half-made ones do not count", map[string]string{".tmp.17.x": "A\n", ":other": "B\n", ".x": "C\n", ".-1.x": "D\n", "..x": "E\n"}, ""},
		{"octets that no keyword has", map[string]string{"x": "a b\n(c)\n{%*\"\\]}\nd\x01\x7f\xff\n"}, "x=______},_c_,a_b,d___"},
		{"the first spelling", map[string]string{":list": "wOrK\n\nx:0\n", "y": "Work\nWORK\n"}, "x=wOrK y=wOrK"},
		{"a list with mistakes", map[string]string{":list": "A\n\nx:0 1 -1 z\n.y:0\n:0\nw\nv:\nu:9\na:b:0\n"}, "a:b=A x=A"},
		{"a list without a table", map[string]string{":list": ""}, ""},
		{"long keywords are cut", map[string]string{"x": strings.Repeat("k", 1000) + "\n"}, "x=" + strings.Repeat("k", mail.MaxKeywordLen)},
	} {
		f := keywordFolder(t, tc.files)
		got, err := f.ReadKeywords()
		if err != nil || keywordText(got) != tc.want {
			t.Errorf("%s: %s, %v; want %s", tc.name, keywordText(got), err, tc.want)
		}
	}
}

func TestReadKeywordsIsBounded(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"an update": {"x": strings.Repeat("a\n", maxKeywordUpdate)},
		"a line":    {":list": strings.Repeat("a", maxKeywordUpdate+1)},
		"a table":   {":list": strings.Repeat("a\n", maxKeywordWords+1)},
	} {
		if got, err := keywordFolder(t, files).ReadKeywords(); err == nil {
			t.Errorf("%s without bounds is read: %d", name, len(got))
		}
	}
}

// Whatever lies in the files, what is read can be said in IMAP.
func FuzzKeywords(f *testing.F) {
	f.Add("Work\n$Forwarded\n\nx:0 1\ny:1\n", "Junk\n", "A\n\nB")
	f.Add("\n:0\n", "\\Seen\n", "\xff\x00")
	f.Add("a\nA\n\nx:0 0 1 00 +1 18446744073709551616\n", "", "a\r\n")
	f.Fuzz(func(t *testing.T, list, update, old string) {
		folder := keywordFolder(t, map[string]string{":list": list, "x": update, ".5.y": old})
		sets, err := folder.ReadKeywords()
		if err != nil {
			if len(list) < maxKeywordUpdate && len(update) < maxKeywordUpdate && len(old) < maxKeywordUpdate {
				t.Errorf("%q %q %q: %v", list, update, old, err)
			}
			return
		}
		for base, words := range sets {
			if !validBase(base) || len(words) == 0 || !slices.IsSorted(words) {
				t.Errorf("%q has %q", base, words)
			}
			for _, w := range words {
				if !mail.ValidKeyword(w) {
					t.Errorf("%q of %q is no keyword", w, base)
				}
			}
		}
	})
}

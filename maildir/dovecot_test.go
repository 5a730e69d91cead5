package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/mail"
	"postrider/vfs"
	"postrider/vfs/memfs"
)

// uidlist23 is what Dovecot 2.3.19 wrote: N is not raised by what came later, a file
// name holds a blank, the lines of messages that are gone stay.
const uidlist23 = `3 V1795577008 N1 Gf89c3409b054066bd959000083ecc375
1 :1600000000.P1.h,S=6,W=9
3 :1600000002.P 1.h,S=6
8 :1700000005.a5.h
`

func TestParseUIDList(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want UIDList
	}{
		"2.3": {uidlist23, UIDList{Version: 3, Validity: 1795577008, Next: 9, UIDs: map[string]mail.UID{
			"1600000000.P1.h,S=6,W=9": 1, "1600000002.P 1.h,S=6": 3, "1700000005.a5.h": 8}}},
		"fields before the name, flags in it, other header fields": {
			"3 V1200000000 N900 Xwhatever Gf89c3409b054066bd959000083ecc375\n7 W1234 S1200 P99 :a.b.c,S=1200:2,Sab\n8 Gabc :d:2,\n",
			UIDList{Version: 3, Validity: 1200000000, Next: 900, UIDs: map[string]mail.UID{"a.b.c,S=1200": 7, "d": 8}}},
		"without N and G, the last line open": {"3 V12\n4 :x", UIDList{Version: 3, Validity: 12, Next: 5, UIDs: map[string]mail.UID{"x": 4}}},
		"version 1":                           {"1 1100000000 17\n4 a b:2,S\n16 c\n", UIDList{Version: 1, Validity: 1100000000, Next: 17, UIDs: map[string]mail.UID{"a b": 4, "c": 16}}},
		"damaged lines": {"3 V12 N3\nx :a\n0 :a\n4294967295 :a\n4294967296 :a\n5\n6 a\n7 :\n8 :.a\n9 :a/b\n10 :" + strings.Repeat("a", 256) + "\n" + strings.Repeat("b", 9000) + "\n\n1 :a\n",
			UIDList{Version: 3, Validity: 12, Next: 3, Damaged: 11, UIDs: map[string]mail.UID{"a": 1}}},
		"the first of two counts": {"3 V12 N3\n1 :a\n1 :b\n2 :a:2,S\n3 :c\n",
			UIDList{Version: 3, Validity: 12, Next: 4, Duplicates: 2, UIDs: map[string]mail.UID{"a": 1, "c": 3}}},
	} {
		got, err := parseUIDList(strings.NewReader(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if d := cmp.Diff(&c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	for _, text := range []string{"", "\n", "3\n", "3 V0 N1\n", "3 N5\n", "2 V1 N1\n", "1 5\n", "1 0 5\n", "4 V1 N1\n", "3 V99999999999 N1\n", "courier\n"} {
		if _, err := parseUIDList(strings.NewReader(text)); !errors.Is(err, ErrDovecot) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestDovecotKeywords(t *testing.T) {
	k := parseDovecotKeywords("0 unknown-0\n1 Work\n2 $Forwarded\nx y\n25 Last\n26 Beyond\n3\n4 a b\n1 Again\n")
	if k.Damaged != 4 || !slices.Equal(k.Beyond, []string{"Beyond"}) || !k.Full() {
		t.Errorf("got %d damaged, beyond %q, full %v", k.Damaged, k.Beyond, k.Full())
	}
	if few := parseDovecotKeywords("0 a\n25 z\n"); few.Full() {
		t.Error("two keywords are all")
	}
	if got := k.Of("1.2.h:2,FSabcdz"); !slices.Equal(got, []string{"unknown-0", "Work", "$Forwarded", "Last"}) {
		t.Errorf("got %q", got)
	}
	if got := k.Of("1.2.h"); got != nil {
		t.Errorf("got %q", got)
	}
	var all strings.Builder
	for i := range DovecotLetters {
		fmt.Fprintf(&all, "%d kw%d\n", i, i)
	}
	if k = parseDovecotKeywords(all.String()); !k.Full() {
		t.Error("26 keywords are not all")
	}
}

func TestDovecotSubscriptions(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []mail.Name
		odd  int
	}{
		"2.3":                {"V\t2\n\nFoo\tB&AOk-r\nINBOX\nfoo.bar\ttab\x01t\n", []mail.Name{"Foo/Bér", "INBOX"}, 1},
		"a dot in a part":    {"V\t2\n\na.b\tc\n", []mail.Name{"a.b/c"}, 0},
		"2.2, dots":          {"INBOX.Foo.B&AOk-r\nINBOX\ninbox.Sent\n", []mail.Name{"INBOX/Foo/Bér", "INBOX", "INBOX/Sent"}, 0},
		"2.2, slashes":       {"Foo/Bar\nFoo/Bar\nSent\n", []mail.Name{"Foo/Bar", "Sent"}, 0},
		"UTF-8":              {"Foo.Bér\n", []mail.Name{"Foo/Bér"}, 0},
		"what is no name":    {"\xff\n" + strings.Repeat("a", 300) + "\n...\nx\n", []mail.Name{"x"}, 3},
		"nothing":            {"", nil, 0},
		"nothing but header": {"V\t2\n\n", nil, 0},
	} {
		got, odd := parseSubscriptions(c.text)
		if !slices.Equal(got, c.want) || odd != c.odd {
			t.Errorf("%s: got %q, %d odd; want %q, %d", name, got, odd, c.want, c.odd)
		}
	}
}

// What is read from a directory is bounded, and a link is not followed.
func TestDovecotFiles(t *testing.T) {
	f := memfs.New(memfs.Options{})
	d := newFolder(t, f, "m").Dir()
	for _, read := range []func(vfs.Dir) error{
		func(d vfs.Dir) error { _, err := ReadUIDList(d); return err },
		func(d vfs.Dir) error { _, err := ReadDovecotKeywords(d); return err },
		func(d vfs.Dir) error { _, _, err := ReadDovecotSubscriptions(d); return err },
	} {
		if err := read(d); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	}
	if v, err := ReadDovecotValidity(d); v != 0 || err != nil || DovecotWasHere(d) {
		t.Errorf("got %d, %v", v, err)
	}
	put := func(name, text string) {
		file, err := d.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
		if err == nil {
			_, err = file.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
	put("dovecot-uidlist", uidlist23)
	put("dovecot-keywords", "0 A\n")
	put("subscriptions", "INBOX\n")
	put("dovecot-uidvalidity", "6b0654d0")
	put("dovecot.index.log", "")
	if l, err := ReadUIDList(d); err != nil || len(l.UIDs) != 3 {
		t.Errorf("got %v, %v", l, err)
	}
	if k, err := ReadDovecotKeywords(d); err != nil || k.Names[0] != "A" {
		t.Errorf("got %v, %v", k, err)
	}
	if v, err := ReadDovecotValidity(d); v != 1795577040 || err != nil || !DovecotWasHere(d) {
		t.Errorf("got %d, %v", v, err)
	}
	put("dovecot-uidvalidity", "no number")
	if _, err := ReadDovecotValidity(d); !errors.Is(err, ErrDovecot) {
		t.Errorf("got %v", err)
	}
	put("dovecot-keywords", strings.Repeat("x", maxKeywordsSize+1))
	if _, err := ReadDovecotKeywords(d); err == nil {
		t.Error("a file beyond all bounds was read")
	}
}

// A dovecot-uidlist of any bytes is read without a panic, and what comes out is
// consistent.
func FuzzUIDList(f *testing.F) {
	f.Add(uidlist23)
	f.Add("1 1100000000 17\n4 a b:2,S\n16 c\n")
	f.Add("3 V12 N3\n7 W1234 S1200 :a.b.c,S=1200:2,Sab\n1 :a\n1 :b\n4294967294 :x\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseUIDList(strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrDovecot) {
				t.Fatal(err)
			}
			return
		}
		if l.Validity == 0 || l.Next == 0 {
			t.Errorf("UIDVALIDITY %d, UIDNEXT %d", l.Validity, l.Next)
		}
		seen := map[mail.UID]bool{}
		for base, uid := range l.UIDs {
			if uid == 0 || uid >= l.Next || seen[uid] || base == "" || len(base) > maxFileName || strings.Contains(base, "/") {
				t.Errorf("%q has UID %d of %d", base, uid, l.Next)
			}
			seen[uid] = true
		}
	})
}

func FuzzDovecotKeywords(f *testing.F) {
	f.Add("0 unknown-0\n1 Work\n26 Beyond\n", "1.2.h:2,FSab")
	f.Fuzz(func(t *testing.T, text, name string) {
		k := parseDovecotKeywords(text)
		for _, word := range k.Of(name) {
			if !mail.ValidKeyword(word) {
				t.Errorf("%q", word)
			}
		}
	})
}

func FuzzDovecotSubscriptions(f *testing.F) {
	f.Add("V\t2\n\nFoo\tB&AOk-r\nINBOX\n")
	f.Add("INBOX.Foo.B&AOk-r\nINBOX\n")
	f.Fuzz(func(t *testing.T, text string) {
		names, _ := parseSubscriptions(text)
		for _, n := range names {
			if mail.CheckName(n) != nil {
				t.Errorf("%q", n)
			}
		}
	})
}

package mail

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSet(t *testing.T) {
	for _, tc := range []struct {
		set      UIDSet
		star     UID
		resolved string
		n        int
	}{
		{nil, 9, "", 0},
		{SetOf[UID](1, 2, 3, 7), 9, "1:3,7", 4},
		{SetOf[UID](3, 2, 1), 9, "1:3", 3},
		{UIDSet{{5, 2}}, 9, "2:5", 4},
		{UIDSet{{20, Star}}, 9, "9:20", 12}, // RFC 3501 9: always holds the largest
		{UIDSet{{Star, Star}}, 9, "9", 1},
		{UIDSet{{1, Star}}, 0, "", 0}, // an empty mailbox
		{UIDSet{{1, 4}, {3, 6}, {7, 7}, {9, 9}}, 9, "1:7,9", 8},
		{UIDSet{{1<<32 - 1, 1<<32 - 1}, {1, 1}}, 9, "1,4294967295", 2},
	} {
		r := tc.set.Resolve(tc.star)
		if r.String() != tc.resolved || r.Len() != tc.n {
			t.Errorf("%v with * = %d: %s (%d), want %s (%d)", tc.set, tc.star, r, r.Len(), tc.resolved, tc.n)
		}
		if got := slices.Collect(r.All()); len(got) != tc.n || !slices.IsSorted(got) {
			t.Errorf("%v yields %v", r, got)
		}
		for _, n := range []UID{1, 2, 5, 9, 20, 21, 1<<32 - 1} {
			if tc.set.Contains(n, tc.star) != r.Contains(n, 0) {
				t.Errorf("%v and %v do not agree on %d", tc.set, r, n)
			}
		}
	}
	if s := (SeqSet{{1, Star}, {Star, Star}, {4, 4}}).String(); s != "1:*,*,4" {
		t.Error(s)
	}
}

func TestFlags(t *testing.T) {
	if s := (Seen | Draft).String(); s != `\Draft \Seen` {
		t.Error(s)
	}
	if got := AllFlags.Names(); len(got) != 5 {
		t.Error(got)
	}
	for _, name := range AllFlags.Names() {
		if f, ok := ParseFlag(strings.ToUpper(name)); !ok || f.String() != name {
			t.Errorf("%s is %v, %v", name, f, ok)
		}
	}
	for _, name := range []string{`\Recent`, "Seen", `\`, ""} {
		if f, ok := ParseFlag(name); ok {
			t.Errorf("%s is %v", name, f)
		}
	}
	for op, want := range map[FlagOp]Flags{ReplaceFlags: Flagged, AddFlags: Seen | Flagged, RemoveFlags: Seen} {
		if got := (FlagChange{Op: op, Flags: Flagged}).ApplyFlags(Seen); got != want {
			t.Errorf("operation %d: %v", op, got)
		}
	}
}

func TestValidKeyword(t *testing.T) {
	for c := range 256 {
		want := c > ' ' && c < 0x7f && !strings.ContainsRune(`(){%*"\]`, rune(c))
		if ValidKeyword("a"+string([]byte{byte(c)})) != want {
			t.Errorf("%q", byte(c))
		}
	}
	if ValidKeyword("") || ValidKeyword(strings.Repeat("x", MaxKeywordLen+1)) || !ValidKeyword("$Forwarded") {
		t.Error("bounds")
	}
}

func TestName(t *testing.T) {
	for n, ok := range map[Name]bool{
		"INBOX": true, "a/b.c": true, "Résumé": true, "": false, "/a": false, "a//b": false, "a/": false, "a\nb": false,
		"a\u0085": false, "\xff": false, Name(strings.Repeat("x", MaxNameLen+1)): false,
	} {
		if err := CheckName(n); (err == nil) != ok || err != nil && !errors.Is(err, ErrBadName) {
			t.Errorf("%q: %v", n, err)
		}
	}
	n := Name("a/b/c")
	if n.Parent() != "a/b" || n.Base() != "c" || Name("a").Parent() != "" || n.Parent().Child("c") != n || Name("").Child("x") != "x" {
		t.Error("parents and children")
	}
	if !n.Below("a/b") || n.Below("a/b/c") || Name("ab").Below("a") || !Name("inbox").IsInbox() {
		t.Error("below")
	}
}

func TestMapText(t *testing.T) {
	q := And{InHeader{"Subject", "x"}, Not{Or{InBody{"y"}, InText{"z"}}}, InDays{From: time.Unix(0, 0)}}
	got, err := MapText(q, func(s string) (string, error) { return s + s, nil })
	if want := fmt.Sprint(Query(And{InHeader{"Subject", "xx"}, Not{Or{InBody{"yy"}, InText{"zz"}}}, InDays{From: time.Unix(0, 0)}})); err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v", got, err)
	}
	fail, calls := errors.New("no"), 0
	if _, err := MapText(q, func(string) (string, error) { calls++; return "", fail }); !errors.Is(err, fail) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

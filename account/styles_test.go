package account

import (
	"testing"
	"time"

	"postrider/mail"
	"postrider/maildir"
	"postrider/vfs/memfs"
)

// Two processes serve one account, the one with Postrider's names and the other with
// Courier's. What a folder is called differs, so that the account's file knows it by
// two names; its UIDVALIDITY and UIDs do not, however often the two take turns.
func TestTwoNameStyles(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	clock := func() time.Time { now = now.Add(time.Minute); return now }
	fsys := memfs.New(memfs.Options{Now: clock})
	utf8 := maildir.UTF8
	open := func(style Style, n int) *Account {
		h := NewHouse(HouseConfig{FS: fsys, Unique: maildir.NewUnique("h", n, nil), Fsync: true, Now: clock, OpenLedger: realLedger(clock)})
		t.Cleanup(func() { must(t, h.Close()) })
		a, err := h.Open(t.Context(), Config{Root: "/m", Style: style, Encoding: &utf8})
		must(t, err)
		return a
	}
	plain, courier := open(PlainStyle(), 1), open(CourierStyle(), 2)
	for _, n := range []mail.Name{"a.b", "Sent", "x/y"} {
		must(t, plain.Create(t.Context(), n, nil))
	}
	names := map[mail.Name]mail.Name{"a.b": `a\056b`, "Sent": "Sent", "x/y": "x/y", "INBOX": "INBOX"}
	v := newSeen()
	for round := range 6 {
		for one, other := range names {
			st := (&stage{t: t, a: plain}).state(one)
			if round%2 == 0 {
				(&stage{t: t, a: plain}).write(one, "plain "+string(one)+string(rune('a'+round)))
			} else {
				(&stage{t: t, a: courier}).write(other, "courier "+string(other)+string(rune('a'+round)))
			}
			p, c := (&stage{t: t, a: plain}).state(one), (&stage{t: t, a: courier}).state(other)
			if !p.equal(c) || p.validity != st.validity || len(p.uids) != round+1 || int(p.uids[round]) != round+1 {
				t.Fatalf("round %d, %s: %+v with the one style, %+v with the other, %+v before", round, one, p, c, st)
			}
			must(t, v.look(plain, one))
		}
	}
	// A rename over either is seen by both, UIDs and all.
	before := (&stage{t: t, a: plain}).state("a.b")
	must(t, courier.Rename(t.Context(), `a\056b`, "c"))
	if got := (&stage{t: t, a: plain}).state("c"); !got.equal(before) {
		t.Errorf("renamed with the other style: %+v, was %+v", got, before)
	}
	if got := len(v.text); got != 24 {
		t.Errorf("%d UIDs for 24 messages", got)
	}
	must(t, plain.Close())
	must(t, courier.Close())
}

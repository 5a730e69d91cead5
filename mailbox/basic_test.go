package mailbox_test

import (
	"context"
	"testing"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/vfs/memfs"
)

func TestAppendStoreExpunge(t *testing.T) {
	w := newSite(t, memfs.Options{})
	b := w.mustOpen("a", nil)
	var uids []mail.UID
	for i := range 5 {
		uids = append(uids, b.mustAppend(body(i), mail.Seen, "Work"))
	}
	ctx := context.Background()
	res, err := b.SetFlags(ctx, mail.SetOf(uids[1], uids[3]), mail.FlagChange{Op: mail.AddFlags, Flags: mail.Deleted, Keywords: []string{"home"}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := res.Snapshot.Lookup(uids[1])
	if m.Flags != mail.Seen|mail.Deleted || len(res.Snapshot.KeywordsOf(m)) != 2 {
		t.Fatalf("flags %v keywords %v", m.Flags, res.Snapshot.KeywordsOf(m))
	}
	s, gone, err := b.Expunge(ctx, nil, true)
	if err != nil || s.Len() != 3 || gone.String() != "2,4" {
		t.Fatalf("%d left, %v gone, %v", s.Len(), gone, err)
	}
	if text, err := b.text(uids[4]); err != nil || text != body(4) {
		t.Fatalf("%q %v", text, err)
	}
	b.durable(s)
	b.done()
	b = w.mustOpen("a", nil)
	if s := b.Snapshot(); s.Len() != 3 || s.UIDNext() != 6 || s.UID(0) != 1 {
		t.Fatalf("after reopening: %d messages, UIDNEXT %d", s.Len(), s.UIDNext())
	}
	b.done()
}

func TestDeliveryWithAndWithoutWatch(t *testing.T) {
	for _, watched := range []bool{false, true} {
		w := newSite(t, memfs.Options{})
		var e *eyes
		if watched {
			e = w.watch("a")[0]
		}
		b := w.mustOpen("a", e)
		w.clock.advance(time.Second)
		w.deliver("a", body(1))
		if s := b.refresh(); s.Len() != 1 || s.Unclaimed() != 1 {
			t.Fatalf("watched %v: %d messages, %d unclaimed", watched, s.Len(), s.Unclaimed())
		}
		lowest, s, err := b.ClaimRecent(context.Background())
		if err != nil || lowest != 1 || s.Unclaimed() != 0 || s.Message(0).New {
			t.Fatalf("watched %v: %d %v %+v", watched, lowest, err, s.Message(0))
		}
		if got := w.list("a/new"); len(got) != 0 {
			t.Fatalf("new holds %v", got)
		}
		b.done()
	}
}

func TestNoReadingBecauseOfOurOwnChanges(t *testing.T) {
	w := newSite(t, memfs.Options{})
	e := w.watch("a")[0]
	b := w.mustOpen("a", e)
	uid := b.mustAppend(body(1), 0)
	b.refresh()
	for range 10 {
		w.clock.advance(time.Second)
		if _, err := b.SetFlags(context.Background(), mail.SetOf(uid), mail.FlagChange{Op: mail.AddFlags, Flags: mail.Seen}, 0); err != nil {
			t.Fatal(err)
		}
		b.refresh()
	}
	b.done()
}

var _ = mailbox.ErrVanished

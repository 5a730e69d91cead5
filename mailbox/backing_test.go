package mailbox_test

import (
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// saved is a mailbox with a snapshot file of many small chunks, closed.
func saved(t *testing.T) (*site, map[mail.UID]mailbox.Message) {
	w := newSite(t, memfs.Options{})
	w.small = true
	b := w.mustOpen("a", nil)
	for i := range 60 {
		b.mustAppend(body(i), mail.Flags(i%32), "word")
	}
	if err := b.CompactNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.mustAppend(body(60), 0)
	w.clock.advance(time.Minute) // so that the mtimes prove something
	was := map[mail.UID]mailbox.Message{}
	for _, m := range b.Snapshot().All(0) {
		was[m.UID] = m
	}
	b.done()
	return w, was
}

func sameMessages(t *testing.T, s *mailbox.Snapshot, was map[mail.UID]mailbox.Message) {
	t.Helper()
	if s.Len() != len(was) {
		t.Errorf("%d messages, not %d", s.Len(), len(was))
	}
	for _, m := range s.All(0) {
		if old := was[m.UID]; m.Flags != old.Flags || m.ModSeq != old.ModSeq || m.Base != old.Base || m.Info != old.Info || m.Size != old.Size {
			t.Errorf("%+v was %+v", m, old)
		}
	}
}

// A chunk of the snapshot file that is damaged is made from the journal when somebody
// asks for its messages; the next command makes the files anew.
func TestDamagedChunk(t *testing.T) {
	w, was := saved(t)
	f, err := w.dir("a/postrider").OpenFile("index", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{200, 2000, 3500} {
		if _, err := f.WriteAt([]byte("damage"), at); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	b := w.mustOpen("a", nil)
	sameMessages(t, b.Snapshot(), was)
	sameMessages(t, b.refresh(), was)
	b.done()
	b = w.mustOpen("a", nil)
	sameMessages(t, b.Snapshot(), was)
	b.done()
}

// Where neither the snapshot file nor the journal can be read, a look at messages that
// are not in memory ends in a LostError, a change in ErrDoubtful, and nothing looks
// empty. Once the disk works, everything is there.
func TestUnreadableIndex(t *testing.T) {
	w, was := saved(t)
	var broken atomic.Bool
	w.over = faultfs.Wrap(w.fs, func(op faultfs.Op) error {
		if broken.Load() && op.Kind == "readat" && (strings.HasSuffix(op.Path, "/index") || strings.HasSuffix(op.Path, "/journal")) {
			return syscall.EIO
		}
		return nil
	})
	b := w.mustOpen("a", nil)
	old := b.Snapshot()
	broken.Store(true)
	lost := func(what string, look func()) {
		defer func() {
			err, _ := recover().(error)
			if l := new(mailbox.LostError); !errors.As(err, &l) || !errors.Is(err, syscall.EIO) || !errors.Is(err, mailbox.ErrDoubtful) {
				t.Errorf("%s: %v", what, err)
			}
		}()
		look()
	}
	lost("Message", func() { old.Message(7) })
	lost("All", func() { sameMessages(t, old, was) })
	if _, err := b.SetFlags(t.Context(), mail.SetOf[mail.UID](7), mail.FlagChange{Op: mail.AddFlags, Flags: mail.Seen}, 0); !errors.Is(err, mailbox.ErrDoubtful) {
		t.Errorf("SetFlags: %v", err)
	}
	if n := b.Snapshot().Len(); n != len(was) {
		t.Errorf("%d messages are shown", n)
	}
	broken.Store(false)
	sameMessages(t, old, was)
	sameMessages(t, b.refresh(), was)
	b.done()
}

// Opening reads no message, whatever the size of the mailbox, and counting none either.
func TestOpeningReadsNoChunk(t *testing.T) {
	w, was := saved(t)
	var read atomic.Int64
	w.over = faultfs.Wrap(w.fs, func(op faultfs.Op) error {
		if op.Kind == "readat" && strings.HasSuffix(op.Path, "/index") {
			read.Add(1)
		}
		return nil
	})
	b := w.mustOpen("a", nil)
	s := b.refresh()
	if s.Len() != len(was) || s.Unseen() == 0 || s.Deleted() == 0 || s.Unclaimed() != s.Len() || mailbox.NewView(s).Len() != len(was) {
		t.Error("the counts are wrong")
	}
	opening := read.Load()
	if opening > 8 { // header, directory, head; the last chunk, to which the journal adds
		t.Errorf("opening read the snapshot file %d times", opening)
	}
	s.Message(5)
	s.Message(6)
	if n := read.Load() - opening; n > 2 {
		t.Errorf("looking at neighbours read %d times", n)
	}
	b.done()
}

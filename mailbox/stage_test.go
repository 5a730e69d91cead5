package mailbox_test

import (
	"errors"
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

// crowded is a site with n messages in a, whose file operations are counted and can fail.
func crowded(t *testing.T, n int, fail func(op faultfs.Op) error) (*site, [2]*box) {
	w := newSite(t, memfs.Options{})
	w.fsyncs = make(chan struct{}, 3)
	for i := range n {
		w.deliver("a", body(i))
	}
	w.over = faultfs.Wrap(w.fs, fail)
	boxes := [2]*box{w.mustOpen("a", nil), w.mustOpen("b", nil)}
	return w, boxes
}

func staging(op faultfs.Op) bool {
	return strings.Contains(op.Kind, "sync") && strings.HasPrefix(strings.TrimPrefix(op.Path, "/"), "b/tmp/")
}

// Each file of a large COPY is on the disk before it is told, unless it lay there long ago.
func TestCopyOfManySyncsEach(t *testing.T) {
	var synced atomic.Int32
	w, boxes := crowded(t, 100, func(op faultfs.Op) error {
		if staging(op) {
			synced.Add(1)
		}
		return nil
	})
	a, b := boxes[0], boxes[1]
	all := mail.SetOf(uids(a)...)
	res, err := mailbox.Copy(t.Context(), a.Mailbox, all, b.Mailbox)
	if err != nil || res.Dest.Len() != 100 || synced.Load() != 100 {
		t.Errorf("%d copies, %d files synced: %v", res.Dest.Len(), synced.Load(), err)
	}
	w.clock.advance(3 * time.Minute)
	synced.Store(0)
	if _, err := mailbox.Copy(t.Context(), a.Mailbox, all, b.Mailbox); err != nil || synced.Load() != 0 {
		t.Errorf("of messages that lay there for minutes %d files are synced: %v", synced.Load(), err)
	}
	a.done()
	b.done()
}

// One that cannot be brought to the disk takes all with it.
func TestCopyOfManyFailsAsOne(t *testing.T) {
	for _, which := range []int32{1, 9, 50, 100} {
		var n atomic.Int32
		w, boxes := crowded(t, 100, func(op faultfs.Op) error {
			if staging(op) && n.Add(1) == which {
				return syscall.EIO
			}
			return nil
		})
		a, b := boxes[0], boxes[1]
		if _, err := mailbox.Copy(t.Context(), a.Mailbox, mail.SetOf(uids(a)...), b.Mailbox); !errors.Is(err, syscall.EIO) {
			t.Errorf("fsync %d fails, and the COPY says %v", which, err)
		}
		if left := w.list("b/tmp"); b.refresh().Len() != 0 || len(left) > 0 {
			t.Errorf("%d messages, %d files in tmp", b.Snapshot().Len(), len(left))
		}
		a.done()
		b.done()
	}
}

func uids(b *box) []mail.UID {
	var all []mail.UID
	for _, m := range b.Snapshot().All(0) {
		all = append(all, m.UID)
	}
	return all
}

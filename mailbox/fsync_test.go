package mailbox_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postrider/mail"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// Forty sessions that set flags one after the other, as fast as their answers come,
// share the fsyncs of their mailbox: a disk that needs 5 ms for each serves them all in
// the time of a few.
func TestSessionsShareFsyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSite(t, memfs.Options{})
		var syncs atomic.Int64
		w.over = faultfs.Wrap(w.fs, func(op faultfs.Op) error {
			if strings.HasPrefix(op.Kind, "sync") {
				syncs.Add(1)
				time.Sleep(5 * time.Millisecond)
			}
			return nil
		})
		b := w.mustOpen("a", nil)
		const sessions, changes = 40, 10
		for i := range sessions {
			b.mustAppend(body(i), 0)
		}
		syncs.Store(0)
		began := time.Now()
		done := make(chan error)
		for i := range sessions {
			go func() {
				for k := range changes {
					res, err := b.SetFlags(context.Background(), mail.SetOf(mail.UID(i+1)), mail.FlagChange{Flags: mail.Flags(k + 1)}, 0)
					if err == nil {
						err = b.Durable(context.Background(), res.Snapshot)
					}
					if err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range sessions {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if n := syncs.Load(); n > 6*changes {
			t.Errorf("%d fsyncs for %d changes", n, sessions*changes)
		}
		if took := time.Since(began); took > 6*changes*5*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		b.done()
	})
}

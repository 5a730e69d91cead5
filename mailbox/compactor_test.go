package mailbox_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/vfs/memfs"
)

// Index files are written anew while several sessions change the mailbox: nothing is
// lost by it, whoever looks sees every change, and what is written stays within bounds.
func TestCompactorAtWork(t *testing.T) {
	w := newSite(t, memfs.Options{})
	w.compactor, w.small = &mailbox.Compactor{}, true
	var snapshots, journals atomic.Int64
	w.fs.Log(func(op string) {
		switch {
		case strings.HasPrefix(op, "rename a/postrider/index.next"):
			snapshots.Add(1)
		case strings.HasPrefix(op, "rename a/postrider/journal.next"):
			journals.Add(1)
		}
	})
	b := w.mustOpen("a", nil)
	for i := range 40 {
		b.mustAppend(body(i), 0)
	}
	var wait sync.WaitGroup
	for n := range 3 {
		wait.Go(func() {
			c := newClient(b)
			for i := 0; i < 30_000 && (journals.Load() == 0 || snapshots.Load() < 3); i++ {
				change := mail.FlagChange{Op: mail.ReplaceFlags, Flags: mail.Flags(i % 32), Keywords: []string{strings.Repeat("k", 1+i%40)}}
				uid := mail.UID(1 + (7*i+n)%36)
				if _, err := b.SetFlags(t.Context(), mail.SetOf(uid, uid+1, uid+2, uid+3, uid+4), change, 0); err != nil {
					t.Error(err)
					return
				}
				if i%100 == n {
					w.clock.advance(1e9) // so that the compactor may come again
					if err := c.sync(true); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wait.Wait()
	before := b.refresh()
	if snapshots.Load() < 3 || journals.Load() < 1 {
		t.Errorf("%d snapshots and %d journals were written", snapshots.Load(), journals.Load())
	}
	b.done()
	again := w.mustOpen("a", nil)
	for i, m := range again.Snapshot().All(0) {
		if was := before.Message(i); m.UID != was.UID || m.Flags != was.Flags || m.ModSeq != was.ModSeq {
			t.Errorf("%+v was %+v", m, was)
		}
	}
	again.done()
}

package mailbox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"postrider/mail"
	"postrider/vfs/memfs"
)

func TestMemo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSite(t, memfs.Options{})
		b := w.mustOpen("a", nil)
		made := 0
		ask := func(v mail.UIDValidity) any { return b.Memo(v, func() any { made++; return made }) }
		if first, again := ask(1), ask(1); first != 1 || again != 1 || ask(2) != 2 {
			t.Errorf("%d memos were made", made)
		}
		for range 5 { // what is asked for stays
			time.Sleep(10 * time.Second)
			if ask(2) != 2 {
				t.Error("it went while it was asked for")
			}
		}
		time.Sleep(time.Minute)
		if ask(2) != 3 {
			t.Error("it stayed though nobody asked for it")
		}
		b.DropMemo()
		if ask(2) != 4 {
			t.Error("it stayed though it was dropped")
		}
		b.done()
	})
}

package account

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/watch"
)

// TestRealDirectories has another program work on a real Maildir, seen through
// the real watch.
func TestRealDirectories(t *testing.T) {
	w, err := watch.New(watch.Options{})
	must(t, err)
	h := NewHouse(HouseConfig{FS: vfs.OS(), Unique: maildir.NewUnique("h", 1, nil), Watcher: w, Fsync: true})
	root := filepath.Join(t.TempDir(), "Maildir")
	a, err := h.Open(t.Context(), Config{Root: root})
	must(t, err)
	must(t, a.Create(t.Context(), "A/b", nil))
	box, err := a.Mailbox(t.Context(), "A/b")
	must(t, err)
	bell := make(chan struct{}, 1)
	stop := box.Notify(func() {
		select {
		case bell <- struct{}{}:
		default:
		}
	})
	until := func(what string, ok func(*mailbox.Snapshot) bool) {
		t.Helper()
		for deadline := time.After(20 * time.Second); !ok(box.Snapshot()); {
			select {
			case <-bell:
			case <-deadline:
				t.Fatalf("not seen: %s", what)
			}
		}
	}
	at := func(name string) string { return filepath.Join(root, ".A.b", name) }
	must(t, os.WriteFile(at("tmp/1.a.h"), []byte("Subject: x\n\nx\n"), 0o600))
	must(t, os.Rename(at("tmp/1.a.h"), at("new/1.a.h")))
	until("delivery", func(s *mailbox.Snapshot) bool { return s.Len() == 1 })
	must(t, os.Rename(at("new/1.a.h"), at("cur/1.a.h:2,S")))
	until("flag", func(s *mailbox.Snapshot) bool { return s.Len() == 1 && s.Message(0).Flags&mail.Seen != 0 })
	must(t, a.Rename(t.Context(), "A", "B"))
	at = func(name string) string { return filepath.Join(root, ".B.b", name) }
	must(t, os.Rename(at("cur/1.a.h:2,S"), at("cur/1.a.h:2,FS")))
	until("flag after a rename", func(s *mailbox.Snapshot) bool { return s.Message(0).Flags&mail.Flagged != 0 })
	must(t, os.Remove(at("cur/1.a.h:2,FS")))
	until("removal", func(s *mailbox.Snapshot) bool { return s.Len() == 0 })
	must(t, box.Check(t.Context()))
	stop()
	box.Release()
	must(t, a.Close())
	must(t, h.Close())
	must(t, w.Close())
}

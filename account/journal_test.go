package account

import (
	"path/filepath"
	"testing"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/watch"
)

// A journal that another process made anew is watched like the one before.
func TestJournalMadeAnew(t *testing.T) {
	root := filepath.Join(t.TempDir(), "Maildir")
	process := func(n int) (*House, *Account, *Handle) {
		w, err := watch.New(watch.Options{})
		must(t, err)
		t.Cleanup(func() { must(t, w.Close()) })
		h := NewHouse(HouseConfig{FS: vfs.OS(), Unique: maildir.NewUnique("h", n, nil), Watcher: w})
		t.Cleanup(func() { must(t, h.Close()) })
		a, err := h.Open(t.Context(), Config{Root: root})
		must(t, err)
		box, err := a.Mailbox(t.Context(), "INBOX")
		must(t, err)
		return h, a, box
	}
	_, _, here := process(1)
	_, _, there := process(2)
	a, err := there.NewAppend(t.Context(), 2)
	must(t, err)
	_, err = a.Write([]byte("\r\n"))
	must(t, err)
	uid, _, _, err := a.Commit(t.Context(), 0, nil, time.Now())
	must(t, err)
	_, err = here.Refresh(t.Context())
	must(t, err)
	bell := make(chan struct{}, 1)
	defer here.Notify(func() {
		select {
		case bell <- struct{}{}:
		default:
		}
	})()
	store := func(op mail.FlagOp, words ...string) {
		t.Helper()
		_, err := there.SetFlags(t.Context(), mail.SetOf(uid), mail.FlagChange{Op: op, Keywords: words}, 0)
		must(t, err)
	}
	told := func(words int) {
		t.Helper()
		shows := func(s *mailbox.Snapshot) bool { return len(s.KeywordsOf(s.Message(0))) == words }
		for deadline := time.After(20 * time.Second); !shows(here.Snapshot()); {
			select {
			case <-bell:
			case <-deadline:
				t.Fatalf("not told of %d keywords", words)
			}
		}
	}
	store(mail.AddFlags, "work")
	told(1)
	size := func() int64 {
		st, err := journalSize(root)
		must(t, err)
		return st
	}
	for size() < 2<<20 { // beyond this it is made anew
		for range 1000 {
			store(mail.AddFlags, "work", "home")
			store(mail.RemoveFlags, "home")
		}
	}
	must(t, there.Compact(t.Context()))
	if size() >= 1<<20 {
		t.Fatal("the journal was not made anew")
	}
	told(1)
	for range 3 {
		store(mail.AddFlags, "home")
		told(2)
		store(mail.RemoveFlags, "home")
		told(1)
	}
}

// journalSize is how long the journal is.
func journalSize(root string) (int64, error) {
	dir, err := vfs.OS().OpenDir(filepath.Join(root, "postrider"))
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	st, err := dir.Stat("journal")
	return st.Size, err
}

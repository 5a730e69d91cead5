package account

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
)

// appended appends one message and waits until it is durable.
func appended(t *testing.T, h *Handle) mail.UID {
	t.Helper()
	a, err := h.NewAppend(t.Context(), -1)
	must(t, err)
	_, err = a.Write([]byte("Subject: x\r\n\r\nx\r\n"))
	must(t, err)
	uid, _, s, err := a.Commit(t.Context(), 0, []string{"Work"}, time.Time{})
	must(t, err)
	must(t, h.Durable(t.Context(), s))
	return uid
}

// Courier's lock is taken around the giving of a UID where its list is kept at once,
// and on network file systems, unless that is turned off.
func TestWhenCourierIsLocked(t *testing.T) {
	network := func(yes bool) func(*maildir.Folder) bool { return func(*maildir.Folder) bool { return yes } }
	for _, tc := range []struct {
		name   string
		c      Courier
		export bool
		locks  bool
	}{
		{"live", Courier{Mode: mailbox.RegisterLive}, true, true},
		{"live, no list", Courier{Mode: mailbox.RegisterLive}, false, false},
		{"live, no locks", Courier{Mode: mailbox.RegisterLive, NoLock: true}, true, false},
		{"follow", Courier{Mode: mailbox.RegisterFollow, Network: network(false)}, true, false},
		{"network, no list", Courier{Mode: mailbox.RegisterFollow, Network: network(true)}, false, true},
		{"network, off", Courier{Mode: mailbox.RegisterOff, Network: network(true)}, false, true},
		{"network, no locks", Courier{Mode: mailbox.RegisterFollow, Network: network(true), NoLock: true}, true, false},
		{"off", Courier{}, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, func(c *HouseConfig) { c.Courier = tc.c })
				defer s.end()
				h := s.mailbox(mail.Inbox)
				defer h.Release()
				appended(t, h)
				if tc.export {
					must(t, h.ExportRegister(t.Context()))
				}
				var mu sync.Mutex
				var locked, unlocked bool
				s.fs.Log(func(op string) {
					mu.Lock()
					defer mu.Unlock()
					locked = locked || strings.HasPrefix(op, "link ") && strings.HasSuffix(op, "tmp/courier.lock")
					unlocked = unlocked || op == "remove m/tmp/courier.lock"
				})
				appended(t, h)
				s.fs.Log(nil)
				if locked != tc.locks || unlocked != tc.locks {
					t.Errorf("locked %v, unlocked %v", locked, unlocked)
				}
			})
		})
	}
}

// The register is written when the last session has left and the mailbox is closed.
func TestRegisterIsWrittenAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *HouseConfig) { c.Courier.Mode, c.Linger = mailbox.RegisterFollow, 5*time.Second })
		defer s.end()
		h := s.mailbox(mail.Inbox)
		must(t, h.ExportRegister(t.Context()))
		uid := appended(t, h)
		folder, err := maildir.OpenFolder(s.dir("/m"), maildir.Options{Unique: maildir.NewUnique("h", 2, nil)})
		must(t, err)
		defer folder.Close()
		if db, err := folder.ReadUIDDB(); err != nil || len(db.Entries) != 0 {
			t.Errorf("%+v, %v", db, err)
		}
		h.Release()
		time.Sleep(6 * time.Second)
		synctest.Wait()
		db, err := folder.ReadUIDDB()
		if err != nil || len(db.Entries) != 1 || db.Entries[0].UID != uid || db.Next != uid+1 {
			t.Errorf("%+v, %v", db, err)
		}
		words, err := folder.ReadKeywords()
		if err != nil || len(words) != 1 || !slices.Equal(words[db.Entries[0].Base], []string{"Work"}) {
			t.Errorf("%v, %v", words, err)
		}
	})
}

// A change in Courier's keywords wakes who listens.
func TestCourierKeywordsAreWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *HouseConfig) { c.Courier.Mode = mailbox.RegisterLive })
		defer s.end()
		h := s.mailbox(mail.Inbox)
		must(t, h.ExportRegister(t.Context()))
		uid := appended(t, h)
		h.Release()
		h = s.mailbox(mail.Inbox) // now with a directory to watch
		defer h.Release()
		msg, _ := h.Snapshot().Lookup(uid)
		time.Sleep(time.Minute)
		must(t, refreshed(t, h))
		woken := make(chan struct{}, 100)
		defer h.Notify(func() { woken <- struct{}{} })()
		d := s.dir("/m/courierimapkeywords")
		f, err := d.OpenFile(msg.Base, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		must(t, err)
		_, err = f.Write([]byte("Later\n"))
		must(t, err)
		must(t, f.Close())
		at, err := s.dirOf("/m/courierimapkeywords")
		must(t, err)
		s.eyes.Came(at, msg.Base)
		synctest.Wait()
		if len(woken) == 0 {
			t.Error("nobody was woken")
		}
		now, _ := h.Snapshot().Lookup(uid)
		if got := h.Snapshot().KeywordsOf(now); !slices.Equal(got, []string{"Later"}) {
			t.Errorf("the keywords are %q", got)
		}
	})
}

func refreshed(t *testing.T, h *Handle) error {
	t.Helper()
	_, err := h.Refresh(t.Context())
	return err
}

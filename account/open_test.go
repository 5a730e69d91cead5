package account

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"postrider/mail"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/vfs/memfs"
	"postrider/watch"
	"postrider/watch/watchtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a house on a file system in memory, with events given by hand.
type stage struct {
	t    *testing.T
	fs   *memfs.FS
	eyes *watchtest.Watcher
	h    *House
	a    *Account
}

func newStage(t *testing.T, change func(*HouseConfig)) *stage {
	t.Helper()
	s := &stage{t: t, fs: memfs.New(memfs.Options{})}
	s.eyes = watchtest.New(s.dirOf)
	c := HouseConfig{FS: s.fs, Unique: maildir.NewUnique("h", 1, nil), Watcher: s.eyes, Fsync: true}
	if change != nil {
		change(&c)
	}
	s.h = NewHouse(c)
	a, err := s.h.Open(t.Context(), Config{Root: "/m"})
	must(t, err)
	s.a = a
	return s
}

// end closes everything and checks that nothing is left.
func (s *stage) end() {
	s.t.Helper()
	must(s.t, s.a.Close())
	if left := s.h.Stats(); left.Accounts != 0 || left.Mailboxes != 0 {
		s.t.Errorf("left open: %+v", left)
	}
	must(s.t, s.h.Close())
	if left := s.eyes.Watched(); len(left) > 0 {
		s.t.Errorf("still watched: %q", left)
	}
}

func (s *stage) dirOf(path string) (watch.Dir, error) {
	d, err := s.fs.OpenDir(path)
	if errors.Is(err, syscall.ENOTDIR) {
		return s.fileOf(path)
	}
	if err != nil {
		return watch.Dir{}, err
	}
	defer d.Close()
	dev, ino := d.Key()
	return watch.Dir{Dev: dev, Ino: ino}, nil
}

func (s *stage) fileOf(name string) (watch.Dir, error) {
	d, err := s.fs.OpenDir(path.Dir(name))
	if err != nil {
		return watch.Dir{}, err
	}
	defer d.Close()
	st, err := d.Stat(path.Base(name))
	return watch.Dir{Dev: st.Dev, Ino: st.Ino}, err
}

// dir is the directory at a path that must be there.
func (s *stage) dir(path string) vfs.Dir {
	s.t.Helper()
	d, err := s.fs.OpenDir(path)
	must(s.t, err)
	return d
}

// put delivers a message to a directory without telling anybody.
func (s *stage) put(dir, name string) {
	s.t.Helper()
	f, err := s.dir(dir).OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	must(s.t, err)
	_, err = f.Write([]byte("Subject: x\n\nx\n"))
	must(s.t, err)
	must(s.t, f.Close())
}

func (s *stage) mailbox(n mail.Name) *Handle {
	s.t.Helper()
	h, err := s.a.Mailbox(s.t.Context(), n)
	must(s.t, err)
	return h
}

func TestMailboxIsOpenedOnce(t *testing.T) {
	s := newStage(t, nil)
	defer s.end()
	other, err := s.h.Open(t.Context(), Config{Root: "/m/", Style: CourierStyle()})
	must(t, err)
	one := s.mailbox("INBOX")
	two, err := other.Mailbox(t.Context(), "INBOX")
	must(t, err)
	if one.Mailbox != two.Mailbox {
		t.Error("opened twice")
	}
	if got := s.h.Stats(); got.Accounts != 1 || got.Mailboxes != 1 {
		t.Errorf("%+v", got)
	}
	if got := s.eyes.Watched(); !slices.Equal(got, []string{"/m", "/m/cur", "/m/new", "/m/postrider/journal"}) {
		t.Errorf("watched: %q", got)
	}
	one.Release()
	one.Release()
	if _, err := two.Refresh(t.Context()); err != nil {
		t.Error("closed while in use:", err)
	}
	two.Release()
	if got := s.h.Stats(); got.Accounts != 1 || got.Mailboxes != 0 {
		t.Errorf("%+v", got)
	}
	must(t, other.Close())
	_, err = s.a.Mailbox(t.Context(), "None")
	wantErr(t, err, ErrNoMailbox)
	must(t, s.a.Create(t.Context(), "a/b", nil))
	_, err = s.a.Mailbox(t.Context(), "a")
	wantErr(t, err, ErrNoMailbox)
}

func TestUnusedMailboxLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *HouseConfig) { c.Linger = time.Minute })
		first := s.mailbox("INBOX")
		first.Release()
		time.Sleep(59 * time.Second)
		second := s.mailbox("INBOX")
		if first.Mailbox != second.Mailbox {
			t.Error("closed too early")
		}
		time.Sleep(time.Hour)
		if _, err := second.Refresh(t.Context()); err != nil {
			t.Error("closed while in use:", err)
		}
		second.Release()
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if got := s.h.Stats(); got.Mailboxes != 0 {
			t.Error("never closed")
		}
		s.mailbox("INBOX").Release()
		s.end()
	})
}

// TestOpenerGivesUp has two wait for a mailbox that somebody has locked. The one
// that opens it for both is cancelled.
func TestOpenerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		unlock, err := s.dir("/m").Lock(t.Context())
		must(t, err)
		open := func(ctx context.Context) chan error {
			done := make(chan error, 1)
			go func() {
				h, err := s.a.Mailbox(ctx, "INBOX")
				if err == nil {
					h.Release()
				}
				done <- err
			}()
			synctest.Wait()
			return done
		}
		ctx, cancel := context.WithCancel(t.Context())
		first := open(ctx)
		ctx3, cancel3 := context.WithCancel(t.Context())
		second, third := open(t.Context()), open(ctx3)
		cancel3()
		wantErr(t, <-third, context.Canceled)
		cancel()
		wantErr(t, <-first, context.Canceled)
		synctest.Wait()
		select {
		case err := <-second:
			t.Fatalf("the other got %v", err)
		default:
		}
		unlock()
		must(t, <-second)
		s.end()
	})
}

// faulty is a ledger that cannot be written for a while.
type faulty struct {
	memoryLedger
	err error
}

func (f *faulty) NextValidity() (mail.UIDValidity, error) {
	if f.err != nil {
		return 0, f.err
	}
	return f.memoryLedger.NextValidity()
}

func TestFailureIsNotKept(t *testing.T) {
	l := &faulty{memoryLedger{now: time.Now, uses: map[mail.Name][]string{}}, fs.ErrPermission}
	s := newStage(t, func(c *HouseConfig) {
		c.OpenLedger = func(vfs.Dir) (Ledger, error) { return l, nil }
	})
	_, err := s.a.Mailbox(t.Context(), "INBOX")
	wantErr(t, err, fs.ErrPermission)
	if got := s.h.Stats(); got.Mailboxes != 0 || len(s.eyes.Watched()) > 0 {
		t.Errorf("left open: %+v, watched %q", got, s.eyes.Watched())
	}
	l.err = nil
	s.mailbox("INBOX").Release()
	s.end()
}

func TestAccountThatCannotBeOpened(t *testing.T) {
	fail := errors.New("no ledger today")
	var ledgerErr error
	s := newStage(t, func(c *HouseConfig) {
		c.OpenLedger = func(vfs.Dir) (Ledger, error) {
			return &memoryLedger{now: time.Now, uses: map[mail.Name][]string{}}, ledgerErr
		}
	})
	ledgerErr = fail
	_, err := s.h.Open(t.Context(), Config{Root: "/n"})
	wantErr(t, err, fail)
	ledgerErr = nil
	a, err := s.h.Open(t.Context(), Config{Root: "/n"})
	must(t, err)
	must(t, a.Close())
	s.end()
	_, err = s.h.Open(t.Context(), Config{Root: "/n"})
	wantErr(t, err, ErrClosed)
}

func TestHouseClosesWhatIsOpen(t *testing.T) {
	s := newStage(t, nil)
	h := s.mailbox("INBOX")
	must(t, s.h.Close())
	if len(s.eyes.Watched()) > 0 {
		t.Error("still watched")
	}
	_, err := s.a.Mailbox(t.Context(), "INBOX")
	wantErr(t, err, ErrClosed)
	_, err = s.a.List(t.Context())
	wantErr(t, err, ErrClosed)
	wantErr(t, s.a.Subscribe(t.Context(), "x"), ErrClosed)
	h.Release()
	must(t, s.a.Close())
}

package account

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/vfs/faultfs"
	"postrider/watch"
)

// openBelow is what this process has open below a directory.
func openBelow(t *testing.T, root string) (paths []string) {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, n := range names {
		if p, err := os.Readlink("/proc/self/fd/" + n.Name()); err == nil && strings.HasPrefix(p, root) {
			paths = append(paths, p)
		}
	}
	return paths
}

// asleep waits until nothing is open below a directory.
func asleep(t *testing.T, root string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		left := openBelow(t, root)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still open: %v", left)
		}
	}
}

// sleepers is a House on real directories whose accounts sleep almost at once.
type sleepers struct {
	*House
	t    *testing.T
	base string
}

func newSleepers(t *testing.T, base string, process int, c HouseConfig) *sleepers {
	t.Helper()
	if c.FS == nil {
		w, err := watch.New(watch.Options{})
		must(t, err)
		t.Cleanup(func() { must(t, w.Close()) })
		c.FS, c.Watcher = vfs.OS(), w
	}
	c.Unique, c.Fsync, c.QuietAfter = maildir.NewUnique("h", process, nil), true, 5*time.Millisecond
	h := NewHouse(c)
	t.Cleanup(func() { must(t, h.Close()) })
	return &sleepers{h, t, base}
}

func (s *sleepers) open(user string, n mail.Name) (*Account, *Handle) {
	s.t.Helper()
	a, err := s.Open(s.t.Context(), Config{Root: filepath.Join(s.base, user)})
	must(s.t, err)
	if n != mail.Inbox {
		if err := a.Create(s.t.Context(), n, nil); !errors.Is(err, ErrExists) {
			must(s.t, err)
		}
	}
	box, err := a.Mailbox(s.t.Context(), n)
	must(s.t, err)
	return a, box
}

func (s *sleepers) append(box *Handle) mail.UID {
	s.t.Helper()
	a, err := box.NewAppend(s.t.Context(), 2)
	must(s.t, err)
	_, err = a.Write([]byte("\r\n"))
	must(s.t, err)
	uid, _, snap, err := a.Commit(s.t.Context(), 0, nil, time.Now())
	must(s.t, err)
	must(s.t, box.Durable(s.t.Context(), snap))
	return uid
}

// listen counts as a session in IDLE. until waits for something to be told.
func (s *sleepers) listen(box *Handle) (until func(what string, ok func(*mailbox.Snapshot) bool)) {
	bell := make(chan struct{}, 1)
	s.t.Cleanup(box.Notify(func() {
		select {
		case bell <- struct{}{}:
		default:
		}
	}))
	return func(what string, ok func(*mailbox.Snapshot) bool) {
		s.t.Helper()
		for deadline := time.After(20 * time.Second); !ok(box.Snapshot()); {
			select {
			case <-bell:
			case <-deadline:
				s.t.Fatalf("not told: %s", what)
			}
		}
	}
}

func holds(n int) func(*mailbox.Snapshot) bool {
	return func(s *mailbox.Snapshot) bool { return s.Len() == n }
}

// Accounts that nobody does anything with hold no descriptor, however many there are;
// commands, deliveries and other processes wake them, and they fall asleep again.
func TestQuietAccountsHoldNoDescriptor(t *testing.T) {
	base := t.TempDir()
	s, other := newSleepers(t, base, 1, HouseConfig{}), newSleepers(t, base, 2, HouseConfig{})
	var boxes []*Handle
	for i := range 40 {
		_, box := s.open(fmt.Sprint("u", i), "A")
		s.append(box)
		boxes = append(boxes, box)
	}
	asleep(t, base)
	box, until := boxes[7], s.listen(boxes[7])
	at := func(name string) string { return filepath.Join(base, "u7", ".A", name) }
	for round := range 3 {
		n := box.Snapshot().Len()
		must(t, os.WriteFile(at("tmp/x"), []byte("\n"), 0o600))
		must(t, os.Rename(at("tmp/x"), at(fmt.Sprintf("new/1.d%d.h", round))))
		until("a delivery", holds(n+1))
		asleep(t, base)
		r, err := box.OpenMessage(t.Context(), 1)
		must(t, err)
		if b, err := io.ReadAll(io.NewSectionReader(r, 0, 10)); err != nil || string(b) != "\r\n" {
			t.Errorf("%q, %v", b, err)
		}
		must(t, r.Close())
		asleep(t, base)
		s.append(box)
		asleep(t, base)
		_, there := other.open("u7", "A")
		_, err = there.SetFlags(t.Context(), mail.SetOf[mail.UID](1), mail.FlagChange{Op: mail.ReplaceFlags, Keywords: []string{fmt.Sprint("k", round)}}, 0)
		must(t, err)
		until("a keyword", func(s *mailbox.Snapshot) bool {
			words := s.KeywordsOf(s.Message(0))
			return len(words) == 1 && words[0] == fmt.Sprint("k", round)
		})
		asleep(t, base)
		must(t, there.Compact(t.Context())) // may write another snapshot file
		there.Release()
		if _, err := box.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		asleep(t, base)
	}
	must(t, box.Check(t.Context()))
	if box.Snapshot().UIDNext() != 8 {
		t.Errorf("UIDNEXT %d", box.Snapshot().UIDNext())
	}
}

// A folder that was removed, moved out or exchanged while it slept is gone; one that got
// another name is not.
func TestFolderChangesWhileAsleep(t *testing.T) {
	for what, do := range map[string]func(at string) error{
		"removed":    os.RemoveAll,
		"moved out":  func(at string) error { return os.Rename(at, filepath.Dir(filepath.Dir(at))+"/out") },
		"made again": func(at string) error { return errors.Join(os.RemoveAll(at), makeMaildir(at)) },
		"exchanged": func(at string) error {
			return errors.Join(os.Rename(at, filepath.Dir(filepath.Dir(at))+"/out"), makeMaildir(at))
		},
		"cur made again": func(at string) error { return errors.Join(os.RemoveAll(at+"/cur"), os.Mkdir(at+"/cur", 0o700)) },
		"renamed":        func(at string) error { return os.Rename(at, filepath.Dir(at)+"/.B") },
	} {
		for _, watched := range []bool{true, false} {
			t.Run(fmt.Sprint(what, watched), func(t *testing.T) {
				base := t.TempDir()
				c := HouseConfig{}
				if !watched {
					c.FS = vfs.OS()
				}
				s := newSleepers(t, base, 1, c)
				a, box := s.open("u", "A")
				s.append(box)
				asleep(t, base)
				validity := box.Snapshot().UIDValidity()
				must(t, do(filepath.Join(base, "u", ".A")))
				_, err := box.Refresh(t.Context())
				if what == "renamed" {
					must(t, err)
					if uid := s.append(box); uid != 2 {
						t.Errorf("UID %d", uid)
					}
					must(t, box.Check(t.Context()))
					return
				}
				if !errors.Is(err, mailbox.ErrGone) {
					t.Errorf("%v", err)
				}
				again, err := a.Mailbox(t.Context(), "A")
				if what == "removed" || what == "moved out" {
					if !errors.Is(err, ErrNoMailbox) {
						t.Errorf("opened again: %v", err)
					}
					return
				}
				must(t, err)
				if snap := again.Snapshot(); snap.Len() != 0 || what != "cur made again" && snap.UIDValidity() == validity {
					t.Errorf("%d messages, UIDVALIDITY %d after %d", snap.Len(), snap.UIDValidity(), validity)
				}
			})
		}
	}
}

func makeMaildir(at string) error {
	return errors.Join(os.Mkdir(at, 0o700), os.Mkdir(at+"/cur", 0o700), os.Mkdir(at+"/new", 0o700), os.Mkdir(at+"/tmp", 0o700))
}

// An index directory that was made again while the mailbox slept, perhaps under the same
// inode number, is taken for what it is.
func TestIndexDirectoryMadeAgainWhileAsleep(t *testing.T) {
	base := t.TempDir()
	s := newSleepers(t, base, 1, HouseConfig{})
	_, box := s.open("u", "A")
	for range 3 {
		uid := s.append(box)
		asleep(t, base)
		validity := box.Snapshot().UIDValidity()
		dir := filepath.Join(base, "u", ".A", "postrider")
		must(t, os.RemoveAll(dir))
		must(t, os.Mkdir(dir, 0o700))
		snap, err := box.Refresh(t.Context())
		if errors.Is(err, mailbox.ErrDoubtful) {
			snap, err = box.Refresh(t.Context())
		}
		must(t, err)
		if snap.UIDValidity() != validity {
			t.Errorf("UIDVALIDITY %d became %d", validity, snap.UIDValidity())
		}
		if next := s.append(box); next <= uid {
			t.Errorf("UID %d after %d", next, uid)
		}
	}
	must(t, box.Check(t.Context()))
}

// A root that was removed and made again while the account slept is another account.
func TestRootMadeAgainWhileAsleep(t *testing.T) {
	base := t.TempDir()
	s := newSleepers(t, base, 1, HouseConfig{})
	_, box := s.open("u", mail.Inbox)
	s.append(box)
	asleep(t, base)
	must(t, os.RemoveAll(filepath.Join(base, "u")))
	must(t, makeMaildir(filepath.Join(base, "u")))
	a, again := s.open("u", mail.Inbox)
	if again.Mailbox == box.Mailbox || again.Snapshot().Len() != 0 {
		t.Errorf("the old mailbox, or its %d messages", again.Snapshot().Len())
	}
	s.append(again)
	again.Release()
	must(t, a.Close())
	if _, err := box.Refresh(t.Context()); !errors.Is(err, mailbox.ErrGone) {
		t.Errorf("%v", err)
	}
}

// Where nothing can be opened, what needs a file fails, clearly and for now only; nothing
// is in doubt, and nothing lost.
func TestNoDescriptorToWakeWith(t *testing.T) {
	for _, errno := range []error{syscall.EMFILE, syscall.ENFILE, fs.ErrPermission} {
		base := t.TempDir()
		var fails atomic.Bool
		files := faultfs.Wrap(vfs.OS(), func(op faultfs.Op) error {
			if fails.Load() && (op.Kind == "opendir" || op.Kind == "open" || op.Kind == "openfile" || op.Kind == "lock") {
				return errno
			}
			return nil
		})
		s := newSleepers(t, base, 1, HouseConfig{FS: files})
		_, box := s.open("u", "A")
		for range 40 {
			s.append(box)
		}
		must(t, box.Compact(t.Context()))
		asleep(t, base)
		before := box.Snapshot()
		for range 2 {
			fails.Store(true)
			_, err := box.Refresh(t.Context())
			_, serr := box.SetFlags(t.Context(), mail.SetOf[mail.UID](1), mail.FlagChange{Op: mail.AddFlags, Flags: mail.Seen}, 0)
			_, oerr := box.NewAppend(t.Context(), 2)
			for _, err := range []error{err, serr, oerr} {
				if !errors.Is(err, errno) || errors.Is(err, mailbox.ErrGone) || errors.Is(err, mailbox.ErrDoubtful) {
					t.Errorf("%v: %v", errno, err)
				}
			}
			fails.Store(false)
			snap, err := box.Refresh(t.Context())
			must(t, err)
			if snap.Len() != 40 || snap.UIDNext() != before.UIDNext() || snap.UIDValidity() != before.UIDValidity() {
				t.Errorf("%v: %d messages, UIDNEXT %d", errno, snap.Len(), snap.UIDNext())
			}
			asleep(t, base)
		}
		must(t, box.Check(t.Context()))
	}
}

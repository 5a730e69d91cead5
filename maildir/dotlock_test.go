package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"postrider/vfs"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// lockFolder is a folder of process 7 on "host", on which process 9 runs, too.
func lockFolder(t *testing.T, fsys vfs.FS) *Folder {
	t.Helper()
	f := newFolder(t, fsys, "/m")
	f.o.Alive = func(pid int) bool { return pid == 7 || pid == 9 }
	return f
}

func TestCourierLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := lockFolder(t, memfs.New(memfs.Options{}))
		unlock, err := f.LockCourier(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := fileText(t, f.tmp, courierLock); got != "7:host" {
			t.Errorf("the lock says %q", got)
		}
		if st, err := f.tmp.Stat(courierLock); err != nil || st.Nlink != 1 {
			t.Errorf("%+v, %v", st, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := f.LockCourier(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("taken twice: %v", err)
		}
		unlock()
		f.tmp.List(func(name string, _ vfs.Type) bool { t.Errorf("left in tmp: %s", name); return true })
		if unlock, err = f.LockCourier(t.Context()); err != nil {
			t.Fatal(err)
		}
		unlock()
	})
}

// A lock that was left behind is broken, another one waited for.
func TestCourierLockLeftBehind(t *testing.T) {
	for _, tc := range []struct {
		text string
		wait time.Duration // about; it is broken after that
	}{
		{"8:host", 0},   // no process
		{"7:host", 0},   // our number, but none of our locks
		{"8:host\n", 0}, //
		{"9:elsewhere", foreignAge},
		{"8:elsewhere", foreignAge},
		{"nonsense", foreignAge},
		{"", foreignAge},
		{"-7:host", foreignAge},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := lockFolder(t, memfs.New(memfs.Options{}))
			putFile(t, f.tmp, courierLock, tc.text)
			began := time.Now()
			unlock, err := f.LockCourier(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took < tc.wait || took > tc.wait+2*lastLockWait {
				t.Errorf("%q was broken after %v, want %v", tc.text, took, tc.wait)
			}
			unlock()
			f.tmp.List(func(name string, _ vfs.Type) bool { t.Errorf("%q: left in tmp: %s", tc.text, name); return true })
		})
	}
}

// A lock of a process that runs here is never broken, however old.
func TestCourierLockOfARunningProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := lockFolder(t, memfs.New(memfs.Options{}))
		putFile(t, f.tmp, courierLock, "9:host")
		time.AfterFunc(time.Hour, func() { f.tmp.Remove(courierLock) })
		began := time.Now()
		unlock, err := f.LockCourier(t.Context())
		if err != nil || time.Since(began) < time.Hour {
			t.Errorf("taken after %v: %v", time.Since(began), err)
		}
		unlock()
	})
}

// Between the look at a lock that was left behind and its removal somebody else
// breaks it and takes it: that one stays.
func TestCourierLockThatWasTakenMeanwhile(t *testing.T) {
	fsys := memfs.New(memfs.Options{})
	plain := lockFolder(t, fsys)
	putFile(t, plain.tmp, courierLock, "8:host")
	done := false
	f := openFolder(t, faultfs.Wrap(fsys, func(op faultfs.Op) error {
		if op.Kind == "rename" && !done {
			done = true
			plain.tmp.Remove(courierLock)
			putFile(t, plain.tmp, courierLock, "9:host")
		}
		return nil
	}))
	f.o.Alive = plain.o.Alive
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := f.LockCourier(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the other's lock was not honoured: %v", err)
	}
	if got := fileText(t, plain.tmp, courierLock); !done || got != "9:host" {
		t.Errorf("the lock says %q", got)
	}
}

// A lock of ours that somebody broke and took is not removed by us.
func TestCourierLockIsNotGivenBackForOthers(t *testing.T) {
	f := lockFolder(t, memfs.New(memfs.Options{}))
	unlock, err := f.LockCourier(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.tmp.Remove(courierLock)
	putFile(t, f.tmp, courierLock, "9:host")
	unlock()
	if got := fileText(t, f.tmp, courierLock); got != "9:host" {
		t.Errorf("the lock says %q", got)
	}
}

// Where files have one name only, the file itself is the lock.
func TestCourierLockWithoutLinks(t *testing.T) {
	fsys := faultfs.Wrap(memfs.New(memfs.Options{}), func(op faultfs.Op) error {
		if op.Kind == "link" {
			return syscall.EPERM
		}
		return nil
	})
	synctest.Test(t, func(t *testing.T) {
		f := lockFolder(t, fsys)
		unlock, err := f.LockCourier(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.LockCourier(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("taken twice: %v", err)
		}
		unlock()
		putFile(t, f.tmp, courierLock, "8:host")
		if unlock, err = f.LockCourier(t.Context()); err != nil {
			t.Fatal(err)
		}
		unlock()
		if _, err := f.tmp.Stat(courierLock); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the lock stays: %v", err)
		}
	})
}

func TestAlive(t *testing.T) {
	if !alive(syscall.Getpid()) || alive(1<<30) {
		t.Error("who runs is not told from who does not")
	}
}

func FuzzLockOwner(f *testing.F) {
	for _, s := range []string{"7:host", "7:", ":host", "-1:h", "99999999999999999999:h", "7:a:b\n", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pid, host, ok := lockOwner([]byte(text))
		if !ok {
			return
		}
		if pid <= 0 {
			t.Errorf("%q: pid %d", text, pid)
		}
		p, h, ok := lockOwner(fmt.Appendf(nil, "%d:%s", pid, host))
		if p != pid || h != host || !ok {
			t.Errorf("%q: %d %q, then %d %q", text, pid, host, p, h)
		}
	})
}

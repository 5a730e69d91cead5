package maildir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"syscall"
	"time"

	"postrider/vfs"
)

// Courier's lock of a folder is the file tmp/courier.lock. Whoever links a file of
// his own to that name holds it; the file says who he is, "<pid>:<host>". Whoever
// finds it waits, unless it was left behind: its process does not run on this host,
// or it is another host's and older than two minutes.
//
// Courier removes such a file by its name, so it can remove a lock that somebody took
// since he looked. Here it is renamed to a name that nobody else has, and then looked
// at: if it is not the file that was found to be left behind, it is linked back. For
// that moment, some microseconds, the lock seems free; the only other remedy would be
// a second lock, which Courier does not know. Of ours, only one process can be here:
// whoever calls LockCourier holds the folder's own lock (vfs.Dir.Lock).
//
// Our own pid in the file means that an earlier process had it, which is usual in a
// container, unless it is a lock that we hold: Unique remembers those.
const (
	courierLock    = "courier.lock"
	foreignAge     = 120 * time.Second // of another host's lock that counts as left behind
	maxLockText    = 512
	firstLockWait  = 5 * time.Millisecond
	lastLockWait   = 500 * time.Millisecond
	maxUnlockTries = 5
)

// LockCourier takes Courier's lock of the folder, and waits for it until ctx ends.
// The caller holds the lock of the folder's directory. unlock is called once.
func (f *Folder) LockCourier(ctx context.Context) (unlock func(), err error) {
	for wait := firstLockWait; ; wait = min(2*wait, lastLockWait) {
		held, again, err := f.tryCourierLock()
		if err != nil {
			return nil, fmt.Errorf("take Courier's lock of %s: %w", f.dir.Path(), err)
		}
		if held != (lockID{}) {
			return func() { f.unlockCourier(held) }, nil
		}
		if again {
			wait = firstLockWait
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("take Courier's lock of %s: %w", f.dir.Path(), ctx.Err())
		}
	}
}

// lockID is the file that holds a lock.
type lockID struct{ dev, ino uint64 }

// tryCourierLock tries once. again says that a lock that was in the way is gone.
func (f *Folder) tryCourierLock() (held lockID, again bool, err error) {
	name, mine, err := f.lockFile()
	if err != nil {
		return lockID{}, false, err
	}
	defer f.tmp.Remove(name)
	id := lockID{mine.Dev, mine.Ino}
	f.o.Unique.hold(id, true) // before it can be seen
	err = f.tmp.Link(name, f.tmp, courierLock)
	if err != nil {
		// A network file system may do it and lose the answer.
		if st, serr := f.tmp.Stat(name); serr == nil && st.Nlink == 2 {
			err = nil
		}
	}
	if noLinks(err) {
		f.o.Unique.hold(id, false)
		return f.lockWithoutLinks()
	}
	if err == nil {
		return id, false, nil
	}
	f.o.Unique.hold(id, false)
	if !errors.Is(err, fs.ErrExist) {
		return lockID{}, false, err
	}
	again, err = f.breakStale(mine.Mtime)
	return lockID{}, again, err
}

// noLinks reports whether an error of Link says that no file can have two names here.
func noLinks(err error) bool {
	for _, e := range []error{syscall.EPERM, syscall.EOPNOTSUPP, syscall.ENOSYS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// lockFile writes a file that says who we are. Its time is the file server's now.
func (f *Folder) lockFile() (string, vfs.Info, error) {
	name, file, err := f.createSide(0o644)
	if err != nil {
		return "", vfs.Info{}, err
	}
	_, err = file.Write(f.o.Unique.owner())
	st, serr := file.Stat()
	if err = errors.Join(err, serr, file.Close()); err != nil {
		f.tmp.Remove(name)
	}
	return name, st, err
}

// lockWithoutLinks takes the lock where files have one name only. Courier goes on
// without a lock there; processes of ours, and those who look for the file, do not.
func (f *Folder) lockWithoutLinks() (lockID, bool, error) {
	file, err := f.tmp.OpenFile(courierLock, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		again, err := f.breakStale(f.o.Now())
		return lockID{}, again, err
	}
	if err != nil {
		return lockID{}, false, err
	}
	_, err = file.Write(f.o.Unique.owner())
	st, serr := file.Stat()
	if err = errors.Join(err, serr, file.Close()); err != nil {
		return lockID{}, false, errors.Join(err, f.tmp.Remove(courierLock))
	}
	id := lockID{st.Dev, st.Ino}
	f.o.Unique.hold(id, true)
	return id, false, nil
}

// unlockCourier gives the lock back, unless somebody took it for left behind. It is
// tried again where that fails, since Courier would wait as long as we live. No longer
// in Unique, the lock is one that was left behind to us.
func (f *Folder) unlockCourier(held lockID) {
	for range maxUnlockTries {
		st, err := f.tmp.Stat(courierLock)
		if errors.Is(err, fs.ErrNotExist) || err == nil && (lockID{st.Dev, st.Ino}) != held {
			break
		}
		if err == nil && f.tmp.Remove(courierLock) == nil {
			break
		}
	}
	f.o.Unique.hold(held, false)
}

// breakStale looks at the lock that is there, and takes it away if it was left behind.
// now is the time by the clock that gives files their times.
func (f *Folder) breakStale(now time.Time) (gone bool, err error) {
	st, stale, err := f.examineLock(courierLock, now)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil || !stale {
		return false, err
	}
	aside := f.o.Unique.Temp()
	if err := f.tmp.Rename(courierLock, f.tmp, aside); err != nil {
		return errors.Is(err, fs.ErrNotExist), ignoreMissing(err)
	}
	moved, err := f.tmp.Stat(aside)
	if err == nil && (moved.Dev != st.Dev || moved.Ino != st.Ino) {
		err = f.tmp.Link(aside, f.tmp, courierLock) // it was a fresh one
		if errors.Is(err, fs.ErrExist) {
			err = nil
		}
		return false, errors.Join(err, f.tmp.Remove(aside))
	}
	return true, errors.Join(err, f.tmp.Remove(aside))
}

// examineLock tells whether the lock was left behind.
func (f *Folder) examineLock(name string, now time.Time) (vfs.Info, bool, error) {
	file, err := f.tmp.Open(name)
	if err != nil {
		return vfs.Info{}, false, err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return vfs.Info{}, false, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxLockText))
	if err != nil {
		return vfs.Info{}, false, err
	}
	old := now.Sub(st.Mtime) > foreignAge
	pid, host, ok := lockOwner(text)
	switch {
	case !ok || host != f.o.Unique.host:
		return st, old, nil
	case pid == f.o.Unique.pid:
		return st, !f.o.Unique.holds(lockID{st.Dev, st.Ino}), nil
	}
	return st, !f.o.Alive(pid), nil
}

// lockOwner takes the text of a lock apart.
func lockOwner(text []byte) (pid int, host string, ok bool) {
	number, rest, ok := bytes.Cut(bytes.TrimRight(text, "\r\n"), []byte(":"))
	pid, err := strconv.Atoi(string(number))
	return pid, string(rest), ok && err == nil && pid > 0
}

// alive reports whether a process with this number runs, whoever's it is.
func alive(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// owner is what a lock of ours says.
func (u *Unique) owner() []byte { return fmt.Appendf(nil, "%d:%s", u.pid, u.host) }

// hold notes that this process has a lock, or no longer.
func (u *Unique) hold(id lockID, yes bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if yes {
		if u.locks == nil {
			u.locks = make(map[lockID]bool)
		}
		u.locks[id] = true
	} else {
		delete(u.locks, id)
	}
}

func (u *Unique) holds(id lockID) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.locks[id]
}

// LockWriting excludes other processes of ours from writing Courier's files from a
// snapshot. It comes before every other lock, and Courier knows nothing of it.
func (f *Folder) LockWriting(ctx context.Context) (unlock func(), err error) {
	return f.tmp.Lock(ctx)
}

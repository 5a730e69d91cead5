package mailbox

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// longLock is for how long a lock may be waited for or held before the log says so.
	longLock = 3 * time.Second

	// moment is what taking a lock that nobody holds takes at most.
	moment = time.Millisecond
)

// lockFolder takes the lock of the folder's directory, which keeps other processes
// away. Who holds it is perhaps stopped: nobody waits longer than Config.LockWait. The
// lock is the kernel's and ends with the process that holds it, so none is ever stale
// and none is ever broken.
func (m *Mailbox) lockFolder(ctx context.Context) (unlock func(), err error) {
	began := time.Now()
	bounded, cancel := context.WithTimeout(ctx, m.c.LockWait)
	defer cancel()
	release, err := m.folder.Dir().Lock(bounded)
	taken := time.Now()
	waited := taken.Sub(began)
	if waited > moment {
		m.c.Counts.lockWaits.Add(1)
	}
	switch {
	case err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		m.c.Counts.lockTimeouts.Add(1)
		m.log.Warn("another process holds the lock of a mailbox", "waited", waited, "error", err)
		return nil, fmt.Errorf("locking the mailbox: %w", ErrInUse)
	case err != nil:
		return nil, fmt.Errorf("locking the mailbox: %w", err)
	case waited > longLock:
		m.log.Warn("the lock of a mailbox was long waited for", "waited", waited)
	}
	return func() {
		release()
		if held := time.Since(taken); held > longLock {
			m.log.Info("the lock of a mailbox was long held", "held", held)
		}
	}, nil
}

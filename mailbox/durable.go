package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"syscall"
)

// syncer groups the fsyncs of a mailbox: whoever waits first does it for all that
// was changed until then, the others wait for the next.
type syncer struct {
	mu      sync.Mutex
	done    position      // everything up to here is on disk
	failed  uint64        // the last epoch in which a sync failed
	pending [2]bool       // directories with changes that are not on disk
	running chan struct{} // closed when the sync that runs ends; nil: none runs

	deferred [2]bool // directories with changes that may be told before: later.go

	// run is held during a sync and while the journal's file is replaced, and
	// guards journal, the epoch whose journal is open.
	run     sync.Mutex
	journal uint64
}

func (p position) covers(q position) bool {
	return p.epoch > q.epoch || p.epoch == q.epoch && p.off >= q.off
}

// dirty notes a change of names in a directory. It comes before the snapshot that
// shows the change.
func (y *syncer) dirty(isNew bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.pending[dirIndex(isNew)] = true
}

// clean says whether everything that was changed in the directories is on disk.
func (y *syncer) clean() bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.pending == [2]bool{} && y.deferred == [2]bool{} && y.running == nil
}

// reached says whether everything up to a position is on disk.
func (y *syncer) reached(at position) bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.done.covers(at)
}

// Durable returns nil once everything that s shows is on disk. A session calls it
// before it writes anything that it learned from s; many that wait share one
// fsync. It is called without any lock held. ErrNotDurable: nothing of s that was
// not durable before may be told.
func (m *Mailbox) Durable(ctx context.Context, s *Snapshot) error {
	if !m.c.Fsync {
		return nil
	}
	for first := true; ; first = false {
		wait, lead, err := m.sync.join(s.at)
		if first && (lead || wait != nil) {
			m.c.Counts.waiters.Add(1)
		}
		switch {
		case err != nil:
			return err
		case lead:
			m.syncGroup(ctx)
		case wait == nil:
			return nil
		default:
			select {
			case <-wait:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// join says what to do until the position is durable: nothing, wait, or lead.
func (y *syncer) join(at position) (wait chan struct{}, lead bool, err error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	switch {
	case y.done.covers(at):
		return nil, false, nil
	case y.failed != 0 && at.epoch <= y.failed:
		return nil, false, ErrNotDurable
	case y.running != nil:
		return y.running, false, nil
	}
	y.running = make(chan struct{})
	return nil, true, nil
}

// syncGroup brings to the disk what was published until now: names first, then the
// journal, since the journal tells of names.
func (m *Mailbox) syncGroup(ctx context.Context) {
	var target position
	var err error
	ended := false
	defer func() { m.sync.finish(target, err, ended) }()
	if m.c.Fsyncs != nil {
		select {
		case m.c.Fsyncs <- struct{}{}:
			defer func() { <-m.c.Fsyncs }()
		case <-ctx.Done():
			ended = true
			return
		}
	}
	y := &m.sync
	y.run.Lock()
	defer y.run.Unlock()
	target = m.Snapshot().at // first: all that it shows is in pending by now
	if target.epoch < y.journal {
		target = position{epoch: y.journal} // the journal began with it, durable
	}
	dirs := y.takePending()
	if err = m.folder.Sync(dirs[inNewDir], dirs[inCurDir]); err != nil {
		err = fmt.Errorf("syncing the folder: %w", err)
	} else if target.off > 0 {
		err = m.journal.Sync(target.off)
	}
	if err != nil {
		m.doubt(err)
		return
	}
	m.c.Counts.syncs.Add(1)
}

func (y *syncer) takePending() [2]bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.pending == [2]bool{} {
		return y.pending
	}
	dirs := [2]bool{y.pending[0] || y.deferred[0], y.pending[1] || y.deferred[1]}
	y.pending, y.deferred = [2]bool{}, [2]bool{}
	return dirs
}

func (y *syncer) finish(target position, err error, ended bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	switch {
	case ended:
	case err != nil:
		y.failed = max(y.failed, target.epoch)
	case !y.done.covers(target):
		y.done = target
	}
	close(y.running)
	y.running = nil
}

// renewed says that a journal that holds everything up to now was put in place, or
// that another process did that. Its caller holds run.
func (y *syncer) renewed(epoch uint64) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.journal = epoch
	y.pending = [2]bool{true, true}
}

// doubt says that the state may be wrong; whoever takes the lock next makes it sure.
func (m *Mailbox) doubt(why error) {
	m.log.Error("the state of a mailbox is in doubt", "error", why)
	m.doubtful.Store(true)
}

// noSpace marks an error that says that the disk, or a quota, is full, or that
// nothing may be written.
func noSpace(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	return err
}

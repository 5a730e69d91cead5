package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"syscall"
)

// group gathers the fsyncs of a mailbox: many that wait share one round, which syncs
// the directories that changed and then the journal.
type group struct {
	mu       sync.Mutex
	written  position // the newest published state
	durable  position // all up to here is on disk
	round    chan struct{}
	dirtyNew bool
	dirtyCur bool
}

func (p position) before(q position) bool {
	return p.epoch < q.epoch || p.epoch == q.epoch && p.off < q.off
}

func (g *group) wrote(p position) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.written = p
}

// restart says that a new journal was made, which is durable with all in it.
func (g *group) restart(p position) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.written, g.durable = p, p
}

// touched says that names in the directories changed.
func (g *group) touched(newToo, curToo bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dirtyNew, g.dirtyCur = g.dirtyNew || newToo, g.dirtyCur || curToo
}

// Durable returns nil once everything that s shows is on disk. A session calls it
// before it writes anything that it learned from s; many that wait share one
// fsync. It must be called without any lock held.
func (m *Mailbox) Durable(ctx context.Context, s *Snapshot) error {
	if !m.c.Fsync {
		return nil
	}
	for {
		wait, err := m.joinRound(s.at)
		if wait == nil {
			return err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// joinRound returns nil if p is durable, or cannot become so; else what to wait
// for. If no round runs it runs one.
func (m *Mailbox) joinRound(p position) (wait chan struct{}, err error) {
	g := &m.group
	g.mu.Lock()
	if !g.durable.before(p) {
		g.mu.Unlock()
		return nil, nil
	}
	if g.round != nil {
		defer g.mu.Unlock()
		return g.round, nil
	}
	done := make(chan struct{})
	g.round = done
	g.mu.Unlock()
	err = m.runRound()
	g.mu.Lock()
	g.round = nil
	g.mu.Unlock()
	close(done)
	if err != nil {
		return nil, err
	}
	return done, nil
}

// runRound makes all that is written durable.
func (m *Mailbox) runRound() error {
	if m.c.Fsyncs != nil {
		m.c.Fsyncs <- struct{}{}
		defer func() { <-m.c.Fsyncs }()
	}
	g := &m.group
	g.mu.Lock()
	target, newToo, curToo := g.written, g.dirtyNew, g.dirtyCur
	g.dirtyNew, g.dirtyCur = false, false
	g.mu.Unlock()
	err := m.syncAll(target, newToo, curToo)
	if err != nil {
		m.recoverSync(err)
		return fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.durable.before(target) {
		g.durable = target
	}
	return nil
}

func (m *Mailbox) syncAll(p position, newToo, curToo bool) error {
	if newToo || curToo {
		if err := m.folder.Sync(newToo, curToo); err != nil {
			return fmt.Errorf("syncing the directories: %w", err)
		}
	}
	if j := m.syncing.Load(); j != nil && p.epoch == j.epoch {
		return j.journal.Sync(p.off)
	}
	return nil // a later journal began with all of it, durable
}

// recoverSync begins a new journal after a failed fsync: what was written before it
// cannot be trusted, and an fsync is never tried again.
func (m *Mailbox) recoverSync(cause error) {
	m.log.Error("an fsync failed; the mailbox's journal is written anew", "folder", m.folder.Dir().Path(), "error", cause)
	m.lock <- struct{}{}
	defer func() { <-m.lock }()
	if m.closed {
		return
	}
	unlock, err := m.folder.Dir().Lock(context.Background())
	if err == nil {
		defer unlock()
		m.group.touched(true, true)
		err = m.compact()
	}
	if err != nil {
		m.doubtful = true
		m.log.Error("the mailbox's journal could not be written anew", "folder", m.folder.Dir().Path(), "error", err)
	}
}

// durable is Durable for who holds the locks.
func (m *Mailbox) durable(p position) error {
	if !m.c.Fsync {
		return nil
	}
	if err := m.folder.Sync(true, true); err != nil {
		return fmt.Errorf("syncing the directories: %w", err)
	}
	if err := m.journal.Sync(p.off); err != nil {
		return err
	}
	m.group.restart(p)
	return nil
}

// noSpace marks an error that says that the disk, or a quota, is full.
func noSpace(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	return err
}

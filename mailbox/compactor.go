package mailbox

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"postrider/index"
	"postrider/vfs"
)

// Compactor writes snapshot files and journals anew while mailboxes are in use, one
// at a time, in one goroutine that ends when there is nothing to do. Of a mailbox's
// locks it holds none while it writes: it writes what a snapshot shows, which never
// changes, into a file beside, and takes the locks to put that in place.
type Compactor struct {
	mu      sync.Mutex
	queue   []*Mailbox
	running bool
}

// restTimes is how many times as long as a compaction took the mailbox rests from the
// next: a busy one costs a twentieth of the time of a disk.
const restTimes = 20

// ask has a mailbox compacted soon.
func (c *Compactor) ask(m *Mailbox) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, m)
	if !c.running {
		c.running = true
		go c.run()
	}
}

func (c *Compactor) run() {
	for {
		c.mu.Lock()
		if len(c.queue) == 0 {
			c.queue, c.running = nil, false
			c.mu.Unlock()
			return
		}
		m := c.queue[0]
		c.queue = c.queue[1:]
		c.mu.Unlock()
		m.compactAside()
	}
}

// forget takes a mailbox off the queue. It reports whether it was still there.
func (c *Compactor) forget(m *Mailbox) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.queue, m)
	if i < 0 {
		return false
	}
	c.queue = slices.Delete(c.queue, i, i+1)
	return true
}

// askCompactor has the compactor come if there is something for it to do. The lock is
// held.
func (m *Mailbox) askCompactor() {
	if m.c.Compactor == nil || m.gone.Load() || m.now().Before(m.rested) || !m.longJournal() && !m.oldSnapshot() {
		return
	}
	if m.compacting.begin() {
		m.c.Compactor.ask(m)
	}
}

// compacting says whether the compactor has, or is about to have, a mailbox in hand.
type compacting struct {
	mu      sync.Mutex
	busy    bool
	stopped bool
	ctx     context.Context // of the work in hand
	cancel  context.CancelFunc
	ended   chan struct{} // closed when it is no longer busy
}

func (c *compacting) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy || c.stopped {
		return false
	}
	c.busy, c.ended = true, make(chan struct{})
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return true
}

func (c *compacting) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	c.cancel()
	close(c.ended)
	c.ctx, c.cancel, c.ended = nil, nil, nil // a quiet mailbox keeps nothing of it
}

// context is of the work in hand.
func (c *compacting) context() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ctx
}

func (c *compacting) isStopped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped
}

// stopCompactor lets no compaction begin, and waits until one that runs has given up.
func (m *Mailbox) stopCompactor() {
	c := &m.compacting
	c.mu.Lock()
	c.stopped = true
	busy, ended := c.busy, c.ended
	if busy {
		c.cancel()
	}
	c.mu.Unlock()
	if busy && m.c.Compactor.forget(m) {
		c.end()
	}
	if busy {
		<-ended
	}
}

// compactAside does the compactor's work. That it fails is not told to anybody: what is
// there stays in use.
func (m *Mailbox) compactAside() {
	defer m.compacting.end()
	defer func() {
		if p := recover(); p != nil {
			m.doubt(fmt.Errorf("panic while compacting: %v", p))
		}
	}()
	began := time.Now()
	err := m.compactUnlocked(m.compacting.context())
	if err != nil && !m.stopCompacting() {
		m.log.Warn("compacting the index failed", "error", err)
	}
	m.keepAway(restTimes * time.Since(began))
}

// keepAway keeps the compactor away for a while.
func (m *Mailbox) keepAway(d time.Duration) {
	m.lock <- struct{}{}
	defer func() { <-m.lock }()
	m.rested = m.now().Add(d)
}

func (m *Mailbox) stopCompacting() bool { return m.compacting.isStopped() || m.gone.Load() }

// compactUnlocked compacts what is worth it. The lock of the index's directory keeps
// the compactors of other processes out: nobody waits for that one.
func (m *Mailbox) compactUnlocked(ctx context.Context) error {
	if m.stopCompacting() {
		return ErrClosed
	}
	unlock, err := m.indexDir().Lock(ctx)
	if err != nil {
		return fmt.Errorf("locking the index: %w", err)
	}
	defer unlock()
	if err := m.journalAside(ctx, m.longJournal); err != nil {
		return err
	}
	return m.snapshotAside(ctx, m.oldSnapshot)
}

// indexDir is the directory of the index files as it is now.
func (m *Mailbox) indexDir() vfs.Dir {
	m.lock <- struct{}{}
	defer func() { <-m.lock }()
	return m.dir
}

// journalDraft is a journal in the making.
type journalDraft struct {
	c     *index.Compaction
	s     *Snapshot
	head  []index.Record
	epoch uint64
}

// journalAside writes the journal anew if that is worth it.
func (m *Mailbox) journalAside(ctx context.Context, worth func() bool) error {
	d, err := m.beginJournal(ctx, worth)
	if err != nil || d == nil {
		return err
	}
	if err := d.c.Write(unlessStopped(records(d.s, d.head), m.stopCompacting)); err != nil {
		return err
	}
	if m.stopCompacting() {
		d.c.Abort()
		return ErrClosed
	}
	if err := d.c.Sync(); err != nil {
		return err
	}
	return m.endJournal(ctx, d)
}

func (m *Mailbox) beginJournal(ctx context.Context, worth func() bool) (d *journalDraft, err error) {
	err = m.change(ctx, func() error {
		if worth() {
			s := m.Snapshot()
			d = &journalDraft{m.journal.BeginCompact("journal.next", s.modseq), s, m.side.head(s), m.epoch}
		}
		return nil
	})
	return d, err
}

// endJournal puts the journal in place, with what came since, unless the one that it was
// made of is no longer there.
func (m *Mailbox) endJournal(ctx context.Context, d *journalDraft) error {
	begun := false
	err := m.change(ctx, func() error {
		if m.epoch != d.epoch {
			return nil
		}
		begun = true
		m.sync.run.Lock()
		defer m.sync.run.Unlock()
		return m.replaceJournal(d.c, newBuilder(m.Snapshot(), m.infos))
	})
	if !begun {
		d.c.Abort()
	}
	return err
}

// snapshotAside writes the snapshot file if that is worth it.
func (m *Mailbox) snapshotAside(ctx context.Context, worth func() bool) error {
	d, err := m.beginSnapshot(ctx, worth)
	if err != nil || d == nil {
		return err
	}
	if err := d.write(m.stopCompacting); err != nil {
		return err
	}
	return m.endSnapshot(ctx, d)
}

func (m *Mailbox) beginSnapshot(ctx context.Context, worth func() bool) (d *snapshotDraft, err error) {
	err = m.change(ctx, func() error {
		if worth() {
			d = m.draft("index.next")
		}
		return nil
	})
	return d, err
}

// endSnapshot puts the file in place. The journal must be durable as far as it stands
// for: else a power cut would leave a snapshot that knows more.
func (m *Mailbox) endSnapshot(ctx context.Context, d *snapshotDraft) error {
	begun := false
	err := m.change(ctx, func() error {
		begun = true
		if err := m.syncJournal(); err != nil {
			d.w.Abort()
			return err
		}
		return m.install(d)
	})
	if !begun {
		d.w.Abort()
	}
	return err
}

// unlessStopped ends a sequence early when there is something better to do.
func unlessStopped[T any](seq func(func(T) bool), stop func() bool) func(func(T) bool) {
	return func(yield func(T) bool) {
		n := 0
		for v := range seq {
			if n++; n%chunkLen == 0 && stop() || !yield(v) {
				return
			}
		}
	}
}

package mailbox

import (
	"sync"
	"sync/atomic"
	"time"
)

// A mailbox that nobody does anything with gives back the memory that it can fill
// again: the columns of the chunks that the snapshot file has, the table of names, what
// sessions keep (Memo), the places and buffers of the cache, and the cache's descriptor.
// What stays is the directory of chunks, so that counts, sequence numbers of whole
// chunks, and the difference to the next snapshot need no reading. Nobody has to be
// asked: whoever looks at a message reads its chunk again.

// quietAfter is how long nothing must have happened; it may be twice as long.
const quietAfter = 15 * time.Second

// quietKeeps is how many bytes of messages that no file has a quiet mailbox may hold;
// if there are more, and more than a byte a message, the snapshot file is written.
const quietKeeps = 8 << 10

// rest watches for quiet. There is a timer only while the mailbox is in use.
type rest struct {
	used  atomic.Bool // since the timer was started
	mu    sync.Mutex
	timer *time.Timer // nil: quiet
	ended bool
}

// stir says that the mailbox is in use.
func (m *Mailbox) stir() {
	r := &m.rest
	if r.used.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used.Store(true)
	if r.timer == nil && !r.ended {
		r.timer = time.AfterFunc(quietAfter, m.restOrWait)
	}
}

// restOrWait is the end of the timer.
func (m *Mailbox) restOrWait() {
	r := &m.rest
	r.mu.Lock()
	if r.ended || r.timer == nil {
		r.mu.Unlock()
		return
	}
	if r.used.Swap(false) {
		r.timer.Reset(quietAfter)
		r.mu.Unlock()
		return
	}
	r.timer = nil
	r.mu.Unlock()
	m.lock <- struct{}{}
	defer func() { <-m.lock }()
	if !m.closed && m.journal != nil {
		m.goQuiet()
	}
}

// goQuiet gives memory back. The lock is held: no builder is at work, and what is
// dropped is in the newest snapshot (see backing).
func (m *Mailbox) goQuiet() {
	m.names = nil
	m.DropMemo()
	m.cache.Load().Quiet()
	if m.dropColumns() > max(quietKeeps, m.Snapshot().n) {
		m.sleepy = m.c.Compactor != nil
		m.askCompactor()
	}
}

// dropColumns drops the columns that can be read again, and returns how many bytes of
// the others there are, roughly.
func (m *Mailbox) dropColumns() (kept int) {
	for _, c := range m.Snapshot().tree().chunks(0) {
		if c.home.Load() != nil {
			c.body.Store(nil)
		} else {
			kept += c.n * heapOfMessage
		}
	}
	return kept
}

// heapOfMessage is what a message costs in memory, roughly.
const heapOfMessage = 85

// endRest lets no timer start any more.
func (m *Mailbox) endRest() {
	r := &m.rest
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
}

package mailbox

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"postrider/index"
	"postrider/vfs"
)

// A mailbox that nobody does anything with gives back the memory that it can fill
// again: the columns of the chunks that the snapshot file has, the table of names, what
// sessions keep (Memo), and the places and buffers of the cache; and it closes every file
// and directory. What stays is the directory of chunks, so that counts, sequence numbers
// of whole chunks, and the difference to the next snapshot need no reading. Nobody has to
// be asked: whoever looks at a message, or at a directory, opens what that takes.
//
// No change is lost by that. Watches are not handles: their hints come as before, and wait
// for the lock that goQuiet holds. What is opened again must be what was closed, or it is
// as good as gone (vfs.Sleeper, package index): a folder that another took the place of is
// ErrGone, a journal is loaded anew, a snapshot file that another process wrote takes over.
// What cannot be opened now, for lack of descriptors perhaps, is an error of that command
// and no doubt about the state.

// filesAfter is how long nothing must have happened for the files to be closed, if
// QuietAfter is not less; it may be twice as long. It is short, since thousands of
// sessions that log in within a minute would run out of descriptors otherwise, and to open
// them again costs some ten microseconds.
const filesAfter = 2 * time.Second

// quietAfter is the default of Config.QuietAfter.
const quietAfter = 15 * time.Second

// quietKeeps is how many bytes of messages that no file has a quiet mailbox may hold;
// if there are more, and more than a byte a message, the snapshot file is written.
const quietKeeps = 8 << 10

// rest watches for quiet. There is a timer only while the mailbox is in use.
type rest struct {
	used  atomic.Bool // since the timer was started
	mu    sync.Mutex
	timer *time.Timer   // nil: quiet
	idle  time.Duration // for how long nothing happened, in turns of the timer
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
		r.timer = time.AfterFunc(m.restTurn(), m.restOrWait)
	}
}

// restTurn is how long the timer of rest runs.
func (m *Mailbox) restTurn() time.Duration { return min(filesAfter, m.c.QuietAfter) }

// restOrWait is the end of the timer.
func (m *Mailbox) restOrWait() {
	files, all := m.turn()
	if !files && !all {
		return
	}
	m.lock <- struct{}{}
	defer func() { <-m.lock }()
	switch {
	case m.closed || m.journal == nil:
	case all:
		m.goQuiet()
	default:
		m.closeFiles()
	}
}

// turn starts the timer again, unless the mailbox goes quiet, and says whether to close
// the files, and whether to give memory back, too.
func (m *Mailbox) turn() (files, all bool) {
	r := &m.rest
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || r.timer == nil {
		return false, false
	}
	if r.used.Swap(false) {
		r.idle = 0
	} else {
		r.idle += m.restTurn()
	}
	if r.idle >= m.c.QuietAfter {
		r.timer, r.idle = nil, 0
		return true, true
	}
	r.timer.Reset(m.restTurn())
	return r.idle == m.restTurn(), false
}

// goQuiet gives memory back. The lock is held: no builder is at work, and what is
// dropped is in the newest snapshot (see backing).
func (m *Mailbox) goQuiet() {
	m.names = nil
	m.DropMemo()
	m.cache.Load().Quiet() // not with the other files: to open it again reads its table
	m.closeFiles()
	if m.dropColumns() > max(quietKeeps, m.Snapshot().n) {
		m.sleepy = m.c.Compactor != nil
		m.askCompactor()
	}
}

// closeFiles gives every descriptor back. The journal's is kept, for another while, if
// something of it cannot be brought to the disk now: what fails there must be told to who
// waits for it.
func (m *Mailbox) closeFiles() {
	if m.doubtful.Load() || m.syncJournal() != nil || !m.restJournal() {
		m.stir()
		return
	}
	m.backing.rest()
	for _, d := range m.left {
		d.Close() // older snapshots would have read the journal there, if the file failed
	}
	m.left = nil
	vfs.Rest(m.dir)
	m.folder.Rest()
}

func (m *Mailbox) restJournal() bool {
	m.sync.run.Lock()
	defer m.sync.run.Unlock()
	return m.journal.Rest()
}

// wakeFiles opens journal and snapshot file for who is about to change something, so that
// a lack of descriptors shows before anything was done. Another snapshot file than the one
// that was closed has the mailbox loaded anew. Both locks are held.
func (m *Mailbox) wakeFiles() error {
	m.stir()
	err := m.backing.wake()
	if errors.Is(err, index.ErrReplaced) {
		m.outdated.Store(true)
		err = nil
	}
	if err == nil {
		err = m.journal.Wake()
	}
	if err == nil && m.outdated.Swap(false) || errors.Is(err, index.ErrReplaced) {
		err = m.reload(true)
	}
	if err != nil {
		return fmt.Errorf("opening the mailbox again: %w", err)
	}
	return nil
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

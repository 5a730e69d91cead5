package mailbox

import (
	"errors"
	"fmt"
	"sync"

	"postrider/index"
	"postrider/mail"
)

// LostError is what an accessor of a snapshot panics with when messages that are not
// in memory cannot be read from the disk, in the snapshot file nor in the journal.
// Whoever runs commands answers that this one failed. The mailbox's state is
// doubtful then: the next command that takes its lock makes it anew from the
// journal and the directories.
type LostError struct{ Err error }

// Error implements error.
func (e *LostError) Error() string { return "reading messages of the index: " + e.Err.Error() }

// Unwrap returns ErrDoubtful and the cause.
func (e *LostError) Unwrap() []error { return []error{ErrDoubtful, e.Err} }

// backing is a snapshot file from which chunks can be read. The file is kept open while
// the mailbox is in use: what another process puts in its place does not matter. Of a
// quiet mailbox it rests, and if its name is another file's when it is wanted again, its
// messages come from the journal, and the mailbox begins anew with the other file.
//
// A chunk that is not in memory is in the newest snapshot: a builder reads the
// columns of what it replaces. So when another backing takes over for the chunks of
// the newest snapshot, this one can be closed.
type backing struct {
	infos    *infos
	uidNext  mail.UID    // all messages below are in the file's table of names, if they are there
	doubt    func(error) // is told of what cannot be read
	outdated func()      // is told that another file has the name
	stir     func()      // is told that something was read

	// How many messages had come out of order when the file was begun: the table is
	// not believed if one did since.
	inserted int

	scratch sync.Pool // *[]index.Message: rows on their way into columns

	mu    sync.RWMutex
	file  *index.Snapshot
	shut  bool
	other func() (*Snapshot, error) // the file's state, from the journal
	whole *Snapshot                 // what other returned
}

// place is where a chunk's columns can be read.
type place struct {
	f *backing
	i int // which chunk of the file
}

// errShut says that the file was closed: another has its chunks, or the mailbox was
// closed.
var errShut = errors.New("the snapshot file is closed")

// load reads a chunk's columns.
func (c *chunk) load() *columns {
	for {
		at := c.home.Load()
		b, err := at.f.read(at.i, c)
		if err != nil && c.home.Load() != at {
			continue // it moved
		}
		if err != nil {
			if !asleep(err) {
				at.f.doubt(err)
			}
			panic(&LostError{err})
		}
		at.f.stir()
		if c.body.CompareAndSwap(nil, b) {
			return b
		}
		return c.body.Load()
	}
}

func (f *backing) read(i int, c *chunk) (*columns, error) {
	room, ok := f.scratch.Get().(*[]index.Message)
	if !ok {
		room = new([]index.Message)
		*room = make([]index.Message, 0, index.ChunkLen)
	}
	defer func() {
		clear((*room)[:cap(*room)]) // the names
		f.scratch.Put(room)
	}()
	rows, err := f.rows(i, *room)
	if err == nil && (len(rows) != c.n || rows[c.n-1].UID != c.last) {
		err = fmt.Errorf("chunk %d does not hold what its row says", i)
	}
	if err == nil || errors.Is(err, errShut) || asleep(err) {
		return f.columns(rows), err
	}
	b, rerr := f.rebuild(c)
	if rerr != nil {
		return nil, errors.Join(err, rerr)
	}
	if errors.Is(err, index.ErrReplaced) {
		f.outdated()
	} else {
		f.doubt(err)
	}
	return b, nil
}

// asleep says that a file could not be opened again just now, which says nothing about
// what it holds.
func asleep(err error) bool {
	a := (*index.AsleepError)(nil)
	return errors.As(err, &a)
}

// rest gives the file's descriptor back.
func (f *backing) rest() {
	if f == nil {
		return
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if !f.shut {
		f.file.Rest()
	}
}

// wake opens the file again.
func (f *backing) wake() error {
	if f == nil {
		return nil
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.shut {
		return nil
	}
	return f.file.Wake()
}

// rows reads a chunk into room.
func (f *backing) rows(i int, room []index.Message) ([]index.Message, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.shut {
		return nil, errShut
	}
	return f.file.Chunk(i, room)
}

func (f *backing) columns(rows []index.Message) *columns {
	n, names := len(rows), 0
	for i := range rows {
		names += len(rows[i].Base)
	}
	b := &columns{ids: make([]ident, 0, n), facts: make([]facts, 0, n), states: make([]state, 0, n)}
	area := make([]byte, 0, names)
	for i := range rows {
		if rows[i].Ino != 0 {
			rows[i].Ino = provenIno
		}
		area = b.add(&rows[i], f.infos.id(rows[i].Info), area)
	}
	b.names = string(area)
	return b
}

// rebuild finds the messages of a chunk of a damaged file in the journal.
func (f *backing) rebuild(c *chunk) (*columns, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.whole == nil {
		s, err := f.other()
		if err != nil {
			return nil, err
		}
		f.whole = s
	}
	var rows []index.Message
	t := f.whole.tree()
	end, ok := f.whole.Find(c.last)
	if from := end + 1 - c.n; ok && from >= 0 {
		for start, other := range t.chunks(from) {
			cols := other.cols()
			for j := max(from-start, 0); j < other.n && start+j <= end; j++ {
				rows = append(rows, cols.row(j, t.infos.names()))
			}
			if start+other.n > end {
				break
			}
		}
	}
	if len(rows) != c.n {
		return nil, fmt.Errorf("the journal has %d of %d messages of a damaged chunk", len(rows), c.n)
	}
	return f.columns(rows), nil
}

// copy hands a chunk to who writes another file.
func (f *backing) copy(i int, w *index.SnapshotWriter) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.shut {
		return errShut
	}
	return w.Copy(f.file, i)
}

// uids are the messages of the file whose base name may be this one.
func (f *backing) uids(base string) ([]mail.UID, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.shut {
		return nil, errShut
	}
	return f.file.Lookup(base)
}

func (f *backing) close() error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shut {
		return nil
	}
	f.shut, f.whole = true, nil
	return f.file.Close()
}

// adopt begins a state with the messages of a snapshot file, of which none is read.
func (b *builder) adopt(f *backing) {
	places := make([]place, f.file.Chunks())
	chunks := make([]chunk, len(places))
	for i := range places {
		places[i] = place{f, i}
		e, c := f.file.Info(i), &chunks[i]
		c.meta = metaOf(e)
		c.home.Store(&places[i])
		if i%b.shape.leaf == 0 {
			b.leaves = append(b.leaves, branch{l: &leaf{spans: make([]span, 0, b.shape.leaf)}, first: e.First})
			b.ownLeaf = append(b.ownLeaf, true)
		}
		l := b.leaves[len(b.leaves)-1].l
		l.spans = append(l.spans, span{c: c, first: e.First})
	}
}

func metaOf(e index.ChunkInfo) meta {
	return meta{n: e.N, last: e.Last, newest: e.Newest, sums: sums{e.Unseen, e.Deleted, e.Unsized, e.Size}}
}

// recovered takes a LostError out of what recover returned; it panics on with anything
// else.
func recovered(p any) (lost *LostError, ok bool) {
	if p == nil {
		return nil, false
	}
	if lost, ok = p.(*LostError); !ok {
		panic(p)
	}
	return lost, true
}

package mailbox

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"time"

	"postrider/index"
	"postrider/mail"
	"postrider/vfs"
)

// Inspection is what the files of a mailbox say, read as they lie: nothing is changed,
// no lock is taken, and a server may have the mailbox open.
type Inspection struct {
	Journal  *JournalFacts  // nil: there is none
	Snapshot *SnapshotFacts // nil: there is none
	Cache    *CacheFacts    // nil: there is none

	State     *Snapshot // what the journal says; nil if it cannot be read
	Marks     map[string]string
	Times     index.Times
	Vanished  []index.Vanished // what is remembered, the oldest first
	Forgotten mail.ModSeq      // what vanished up to it is not remembered in full
	Tail      []Batch          // the last ones of the journal
}

// JournalFacts are what is to be said of a journal as a file.
type JournalFacts struct {
	Generation uint64
	Made       time.Time
	Size, End  int64 // of the file, and of the last whole batch
	Batches    int   // how many were read
	Torn       bool  // something that is no batch follows
	Copied     bool  // the header has the inode of another file
	Gaps       []index.Gap
	Err        error // what is wrong with it, nil if nothing
	ReadOnly   error
}

// SnapshotFacts are what is to be said of a snapshot file.
type SnapshotFacts struct {
	Generation uint64
	Size, At   int64 // of the file, and where in the journal it stands
	Fits       bool  // it is of this journal
	Err        error
}

// CacheFacts are what is to be said of a cache.
type CacheFacts struct {
	Size     int64
	Messages int // of how many something is cached
	Err      error
}

// Batch is a batch of the journal with the offset at which it ends.
type Batch struct {
	index.Batch
	End int64
}

// InspectOptions say what to look at.
type InspectOptions struct {
	Tail int // how many of the last batches to return
	Now  func() time.Time
}

// ErrNoIndex says that a folder has no index files: nobody has opened it yet.
var ErrNoIndex = errors.New("no session has opened this mailbox yet")

// maxInspections is how often an inspection begins again because the journal was
// replaced while it was read.
const maxInspections = 5

// Inspect reads the files of a mailbox.
func Inspect(folder Folder, o InspectOptions) (*Inspection, error) {
	dir, err := lookAtIndexDir(folder)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	for range maxInspections {
		in, again, err := inspectOnce(dir, o)
		if !again {
			return in, err
		}
	}
	return nil, errors.New("the journal is replaced faster than it can be read")
}

func lookAtIndexDir(folder Folder) (vfs.Dir, error) {
	dir, err := folder.Dir().OpenDir(indexDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoIndex
	}
	if err != nil {
		return nil, fmt.Errorf("opening the mailbox's index: %w", err)
	}
	for _, name := range []string{index.JournalName, index.SnapshotName, index.CacheName} {
		if _, err := dir.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			return dir, nil
		}
	}
	dir.Close() // the inbox's holds the account's file, too
	return nil, ErrNoIndex
}

func inspectOnce(dir vfs.Dir, o InspectOptions) (in *Inspection, again bool, err error) {
	in = &Inspection{}
	j, err := index.LookAtJournal(dir)
	if j == nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, err
	}
	s, serr := index.LookAtSnapshot(dir)
	if s != nil || serr != nil {
		in.Snapshot = snapshotFacts(s, serr, j)
	}
	if s != nil {
		defer s.Close()
	}
	validity := mail.UIDValidity(0)
	if j != nil {
		defer j.Close()
		in.Journal = &JournalFacts{Generation: j.Generation, Made: j.Made.Time(), Size: j.Size, Copied: err == nil && j.Written != j.Ino, Err: err}
		if err == nil {
			if again, err = in.read(j, s, o); again || err != nil {
				return in, again, err
			}
		}
		if in.State != nil {
			validity = in.State.UIDValidity()
		}
	}
	in.Cache = cacheFacts(dir, validity)
	return in, false, nil
}

func snapshotFacts(s *index.Snapshot, err error, j *index.JournalFile) *SnapshotFacts {
	if s == nil {
		return &SnapshotFacts{Err: err}
	}
	return &SnapshotFacts{Generation: s.Generation(), Size: s.Size(), At: s.Pos(), Fits: fits(s, j)}
}

// fits says whether a snapshot is of this journal.
func fits(s *index.Snapshot, j *index.JournalFile) bool {
	return s != nil && j != nil && s.Generation() == j.Generation && s.Pos() <= j.Size
}

// cacheFacts takes the cache's own UIDVALIDITY where the mailbox's is not known.
func cacheFacts(dir vfs.Dir, validity mail.UIDValidity) *CacheFacts {
	if h, err := index.ReadCacheHead(dir); err == nil && validity == 0 {
		validity = h.UIDValidity
	}
	c, err := index.LookAtCache(dir, validity)
	if err == nil {
		defer c.Close()
		return &CacheFacts{Size: c.Size(), Messages: c.Len(), Err: c.Fault()}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	h, herr := index.ReadCacheHead(dir)
	if herr == nil && h.UIDValidity != validity {
		err = fmt.Errorf("it is of UIDVALIDITY %d, and begun anew", h.UIDValidity)
	}
	return &CacheFacts{Size: h.Size, Err: err}
}

// read reads the journal, from its snapshot on if that will do.
func (in *Inspection) read(j *index.JournalFile, s *index.Snapshot, o InspectOptions) (again bool, err error) {
	l := newLooker(o.Now)
	from := int64(0)
	if fits(s, j) && o.Tail == 0 && l.begin(s) == nil {
		from = s.Pos()
	} else {
		l = newLooker(o.Now)
	}
	facts := in.Journal
	ending, err := j.Batches(from, func(b *index.Batch, end int64) bool {
		l.take(b)
		facts.Batches++
		if o.Tail > 0 {
			if in.Tail = append(in.Tail, Batch{*b, end}); len(in.Tail) > 2*o.Tail {
				in.Tail = append(in.Tail[:0], in.Tail[len(in.Tail)-o.Tail:]...)
			}
		}
		return true
	})
	in.Tail = in.Tail[max(0, len(in.Tail)-max(o.Tail, 0)):]
	facts.End, facts.Torn, facts.Gaps, facts.ReadOnly = ending.End, ending.Torn, ending.Gaps, ending.ReadOnly
	if errors.Is(err, index.ErrDamaged) {
		facts.Err, err = err, nil
	}
	if err != nil {
		return false, err
	}
	if named, err := j.Grown(); err != nil || !named || ending.Replaced {
		return true, err
	}
	in.State = l.state()
	side := l.m.side
	in.Marks, in.Times, in.Vanished, in.Forgotten = maps.Clone(side.marks), side.times, side.vanished, side.forgotten
	return false, nil
}

// looker makes snapshots of what files say, as the mailbox itself does when it is
// opened.
type looker struct {
	m *Mailbox // holds what no snapshot shows, and nothing else
	b *builder
}

func newLooker(now func() time.Time) *looker {
	if now == nil {
		now = time.Now
	}
	l := &looker{m: &Mailbox{log: slog.New(slog.DiscardHandler), now: now, infos: newInfos(), loading: true}}
	l.b = newBuilder(emptySnapshot(usual()), l.m.infos)
	return l
}

// begin brings an empty looker to the state of a snapshot file.
func (l *looker) begin(s *index.Snapshot) error {
	modseq, head := s.Head()
	l.m.apply(l.b, &index.Batch{ModSeq: modseq, At: index.StampOf(l.m.now()), Records: head})
	var rows []index.Message
	for i := range s.Chunks() {
		var err error
		if rows, err = s.Chunk(i, rows[:0]); err != nil {
			return err
		}
		for k := range rows {
			l.m.applyAppended(l.b, &rows[k])
		}
	}
	return nil
}

func (l *looker) take(b *index.Batch) { l.m.apply(l.b, b) }

// state is the snapshot so far; more can be taken in after it.
func (l *looker) state() *Snapshot {
	s := l.b.finish()
	l.b = newBuilder(s, l.m.infos)
	return s
}

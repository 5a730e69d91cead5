package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"postrider/mail"
	"postrider/vfs"
)

// The names of a mailbox's files.
const (
	JournalName  = journalName
	SnapshotName = snapshotName
	CacheName    = cacheName
)

// ReplacedMark is the name of the mark with which a journal ends whose name another
// file has taken.
const ReplacedMark = replacedMark

// This file reads a mailbox's files as they lie: for whoever wants to know what is in
// them and must not change anything, whether a server has the mailbox open or not.

// JournalFile is a journal that is read and never written. Its methods may be called
// while others write: they tell of the file up to Size, as it was at the opening.
type JournalFile struct {
	Generation uint64
	Made       Stamp  // when the file was made
	Written    uint64 // the inode number in the header
	Ino        uint64 // that of the file: another one if it was copied or restored
	Size       int64  // of the file

	file vfs.File
}

// LookAtJournal opens the journal of dir for reading. With a FormatError the header
// is of no use, and the file can be read all the same.
func LookAtJournal(dir vfs.Dir) (*JournalFile, error) {
	f, err := dir.Open(journalName)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	j := &JournalFile{file: f}
	if _, err := j.Grown(); err != nil {
		f.Close()
		return nil, err
	}
	head := make([]byte, headLen)
	if n, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		f.Close()
		return nil, fmt.Errorf("reading the journal: %w", err)
	} else if n < headLen {
		return j, &FormatError{journalName, 0, "a header that is cut off", ErrDamaged}
	}
	if j.Generation, j.Written, err = parseHead(head); err != nil {
		return j, err
	}
	j.Made = Stamp(binary.LittleEndian.Uint64(head[32:]))
	return j, nil
}

// Grown takes in how long the file is now, and whether it still has a name.
func (j *JournalFile) Grown() (named bool, err error) {
	info, err := j.file.Stat()
	if err != nil {
		return false, fmt.Errorf("looking at the journal: %w", err)
	}
	j.Size, j.Ino = info.Size, info.Ino
	return info.Nlink > 0, nil
}

// Start is where the first batch begins.
func (j *JournalFile) Start() int64 { return headLen }

// Close closes the file.
func (j *JournalFile) Close() error { return j.file.Close() }

// Gap is a part of a journal that was on disk once and cannot be read now.
type Gap struct{ From, To int64 }

// Ending says how the reading of a journal ended.
type Ending struct {
	End      int64 // of the last whole batch
	Torn     bool  // something that is no batch follows
	Replaced bool  // another journal took this one's place
	Gaps     []Gap
	ReadOnly error // why this version may not write the journal, nil if it may
}

// Batches hands over each batch from an offset on (0: from the first) with the offset
// at which it ends, until yield returns false.
func (j *JournalFile) Batches(from int64, yield func(b *Batch, end int64) bool) (Ending, error) {
	r := &frameReader{r: j.file, pos: max(from, headLen), end: max(j.Size, from, headLen)}
	e := Ending{End: r.pos}
	for {
		payload, torn, err := r.next()
		if errors.Is(err, io.EOF) && torn {
			if next := resume(j.file, r.pos, r.end); next > 0 {
				e.Gaps = append(e.Gaps, Gap{r.pos, next})
				r.pos = next
				continue
			}
		}
		if errors.Is(err, io.EOF) {
			e.Torn = torn
			return e, nil
		}
		if err != nil {
			return e, fmt.Errorf("reading the journal: %w", err)
		}
		b, err := decodeBatch(payload)
		if errors.Is(err, ErrReadOnly) {
			e.ReadOnly, err = &FormatError{journalName, e.End, err.Error(), ErrReadOnly}, nil
		}
		if err != nil {
			return e, &FormatError{journalName, e.End, err.Error(), ErrDamaged}
		}
		e.End, e.Replaced = r.pos, isReplaced(b)
		if !yield(b, r.pos) || e.Replaced {
			return e, nil
		}
	}
}

// LookAtSnapshot opens the snapshot file of dir, of whatever journal it is; nil if
// there is none.
func LookAtSnapshot(dir vfs.Dir) (*Snapshot, error) { return (&Journal{dir: dir}).readSnapshot() }

// Generation is that of the journal of which this is a snapshot.
func (s *Snapshot) Generation() uint64 { return s.gen }

// Pos is where in that journal the snapshot stands.
func (s *Snapshot) Pos() int64 { return s.pos }

// Size is the length of the file.
func (s *Snapshot) Size() int64 { return s.size }

// Account is what the account file holds.
type Account struct {
	UIDValidity mail.UIDValidity // the highest ever given
	Mailboxes   map[mail.Name]AccountMailbox
	Damaged     bool // the file cannot be read, or not to its end
}

// AccountMailbox is what the account file says of a mailbox: zeros where it says
// nothing.
type AccountMailbox struct {
	Marks       Marks
	SpecialUses []string
	ID          MailboxID
}

// ReadAccount reads the account file of dir. One that is missing holds nothing.
func ReadAccount(dir vfs.Dir) (Account, error) {
	l := &Ledger{dir: dir}
	s, err := l.read()
	a := Account{UIDValidity: s.validity, Damaged: l.file.damaged, Mailboxes: make(map[mail.Name]AccountMailbox, len(s.mailboxes))}
	for n, m := range s.mailboxes {
		a.Mailboxes[n] = AccountMailbox{m.marks, m.uses, m.id}
	}
	return a, err
}

package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"postrider/vfs"
)

const (
	journalName  = "journal"
	snapshotName = "index"
	cacheName    = "cache"

	formatVersion = 1
	headLen       = 64

	// reserve is the space that is kept allocated behind the journal's end, so
	// that flags can be set and messages expunged on a full disk.
	reserve = 64 << 10

	// replacedMark is the name of the Mark with which a journal ends that another
	// one took the place of.
	replacedMark = "replaced"
)

var journalMagic = [8]byte{'P', 'R', 'J', 'R', 'N', 'L', '\r', '\n'}

// Options say how to open a journal.
type Options struct {
	Now   func() time.Time // nil: time.Now
	Fsync bool             // false: Sync does nothing (IMAP_FSYNC=0)
}

// Opened says what Open found.
type Opened struct {
	Fresh  bool   // there was nothing: this journal is new and empty
	Moved  bool   // copied, restored, or recovered: UIDNEXT and mod-sequence must jump
	Set    string // the name under which a journal that could not be read is kept
	Damage error  // why
}

// Journal is a mailbox's journal. Calls are the caller's to serialise, but for
// Sync, Generation and Durable, which any goroutine may call.
type Journal struct {
	dir  vfs.Dir
	opt  Options
	file vfs.File // nil: it rests

	generation uint64
	ino        uint64 // of file
	pos        int64  // all before was handed to the caller
	end        int64  // of what this process knows to be whole
	torn       bool   // something that is no batch follows pos
	allocated  int64  // the space reserved, as an offset
	unclaimed  bool   // the header has another inode than the file
	readOnly   error
	damage     error // bytes that were durable once and could not be read
	last       numbers

	sync syncer
}

// Open opens the journal in dir, making it if there is none. A journal that is
// missing, or that is not what the snapshot file was made of, is put together from
// what is left; the old file is kept under another name, never deleted. Only a caller
// that holds the folder's lock may open a journal.
//
// Where Moved is true, the caller's next ValiditySet, with UIDNEXT and mod-sequence
// raised, settles the matter; until it is on disk every opening says Moved again.
func Open(dir vfs.Dir, o Options) (*Journal, Opened, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	j := &Journal{dir: dir, opt: o}
	var found Opened
	err := j.openFile(&found)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = j.recover(&found, nil)
	case errors.Is(err, ErrDamaged):
		found.Damage = err
		err = j.recover(&found, nil)
	case err == nil:
		if s := j.ahead(); s != nil {
			found.Damage = &FormatError{journalName, j.end, "it ends before its own snapshot", ErrDamaged}
			err = j.recover(&found, s)
		}
	}
	if err != nil {
		return nil, found, err
	}
	return j, found, nil
}

func (j *Journal) openFile(found *Opened) error {
	f, err := j.dir.OpenFile(journalName, os.O_RDWR, 0)
	if errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) { // not ours to write, but to read
		j.readOnly = fmt.Errorf("opening the journal: %w", err)
		f, err = j.dir.Open(journalName)
	}
	if err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	head := make([]byte, headLen)
	if n, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		f.Close()
		return fmt.Errorf("reading the journal: %w", err)
	} else if n < headLen {
		f.Close()
		return &FormatError{journalName, 0, "a header that is cut off", ErrDamaged}
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("looking at the journal: %w", err)
	}
	generation, ino, err := parseHead(head)
	if err != nil {
		f.Close()
		return err
	}
	found.Moved = ino != info.Ino
	j.take(f, generation, info.Ino, headLen)
	j.end, j.unclaimed = info.Size, found.Moved
	return nil
}

func (j *Journal) take(f vfs.File, generation, ino uint64, pos int64) {
	j.ino = ino
	j.file, j.generation, j.pos, j.end, j.torn, j.allocated, j.unclaimed = f, generation, pos, pos, false, 0, false
	j.sync.reset(f, pos)
}

func parseHead(head []byte) (generation, ino uint64, err error) {
	le := binary.LittleEndian
	if [8]byte(head) != journalMagic || castagnoli(head[:headLen-4]) != le.Uint32(head[headLen-4:]) {
		return 0, 0, &FormatError{journalName, 0, "no journal's header", ErrDamaged}
	}
	if v := le.Uint32(head[8:]); v != formatVersion {
		return 0, 0, &FormatError{journalName, 8, fmt.Sprintf("format version %d", v), ErrNewer}
	}
	return le.Uint64(head[16:]), le.Uint64(head[24:]), nil
}

func makeHead(generation, ino uint64, now time.Time) []byte {
	head := make([]byte, headLen)
	le := binary.LittleEndian
	copy(head, journalMagic[:])
	le.PutUint32(head[8:], formatVersion)
	le.PutUint64(head[16:], generation)
	le.PutUint64(head[24:], ino)
	le.PutUint64(head[32:], uint64(now.Unix()))
	le.PutUint32(head[headLen-4:], castagnoli(head[:headLen-4]))
	return head
}

func (j *Journal) writeHead(f vfs.File, generation, ino uint64) error {
	if _, err := f.WriteAt(makeHead(generation, ino, j.opt.Now()), 0); err != nil {
		return fmt.Errorf("writing the journal's header: %w", err)
	}
	return nil
}

// create puts a new journal in place, with these frames in it, durable. If only the
// last step fails, syncing the directory, the journal is the new one and takes
// nothing more.
func (j *Journal) create(generation uint64, frames ...[]byte) error {
	const tmp = journalName + ".new"
	f, err := j.dir.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("making a journal: %w", err)
	}
	ino, pos, err := j.fill(f, generation, frames)
	if err != nil {
		f.Close()
		j.dir.Remove(tmp)
		return fmt.Errorf("making a journal: %w", err)
	}
	return j.place(f, tmp, generation, ino, pos)
}

// place has a file that is durable take the journal's name.
func (j *Journal) place(f vfs.File, tmp string, generation, ino uint64, pos int64) error {
	if err := j.dir.Rename(tmp, j.dir, journalName); err != nil {
		f.Close()
		j.dir.Remove(tmp)
		return fmt.Errorf("making a journal: %w", err)
	}
	j.take(f, generation, ino, pos)
	j.reserve()
	if !j.opt.Fsync {
		return nil
	}
	if err := j.dir.Sync(); err != nil {
		return j.sync.fail(fmt.Errorf("making a journal: %w", err))
	}
	return nil
}

func (j *Journal) fill(f vfs.File, generation uint64, frames [][]byte) (ino uint64, pos int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	if err := j.writeHead(f, generation, info.Ino); err != nil {
		return 0, 0, err
	}
	pos = headLen
	for _, b := range frames {
		if _, err := f.WriteAt(b, pos); err != nil {
			return 0, 0, err
		}
		pos += int64(len(b))
	}
	if j.opt.Fsync {
		err = f.Sync()
	}
	return info.Ino, pos, err
}

// Close closes the files. It does not sync.
func (j *Journal) Close() error {
	j.sync.settle()
	if j.file == nil { // it rests
		return nil
	}
	return j.file.Close()
}

// ReadOnly says why the journal takes no batches, nil if it does: it was read as far
// as this version understands it.
func (j *Journal) ReadOnly() error { return j.readOnly }

// Damage says what ReadTail had to leave out, nil if nothing.
func (j *Journal) Damage() error { return j.damage }

// Generation is the number of the journal file among those of this mailbox.
func (j *Journal) Generation() uint64 { return j.generation }

// Pos is the position up to which the caller has been told everything.
func (j *Journal) Pos() int64 { return j.pos }

// Append writes a batch at the end, under the folder's lock and after ReadTail: it
// is applied by the caller, and not handed over by ReadTail. It is durable once Sync
// returned for the position that Append returns.
func (j *Journal) Append(b *Batch) (end int64, err error) {
	if j.readOnly != nil {
		return 0, j.readOnly
	}
	if err := j.sync.failure(); err != nil {
		return 0, err
	}
	if err := j.Wake(); err != nil {
		return 0, err
	}
	if j.torn { // a crash, since nobody else writes under the lock
		if err := j.file.Truncate(j.pos); err != nil {
			return 0, fmt.Errorf("cutting off a torn batch: %w", err)
		}
		j.torn, j.end, j.allocated = false, j.pos, 0
	}
	if err := j.room(b); err != nil {
		return 0, err
	}
	c := *b
	if j.opt.Fsync {
		c.durable = j.sync.position()
	}
	frame := appendFrame(nil, func(dst []byte) []byte { return appendBatch(dst, &c) })
	if len(frame) > maxFrame {
		return 0, fmt.Errorf("a batch of %d bytes is too large", len(frame))
	}
	if _, err := j.file.WriteAt(frame, j.pos); err != nil {
		if cut := j.file.Truncate(j.pos); cut != nil {
			j.torn = true
		}
		j.allocated = 0 // cutting gave it back
		return 0, fmt.Errorf("writing the journal: %w", err)
	}
	j.pos += int64(len(frame))
	j.end = j.pos
	j.sync.wrote(j.pos)
	j.last.note(b)
	if j.unclaimed && setsNumbers(b) {
		return j.pos, j.claim()
	}
	return j.pos, nil
}

// claim writes the file's inode into the header once the jump of the numbers is on
// disk. Should the header be torn by that, Open puts the journal together again.
func (j *Journal) claim() error {
	info, err := j.file.Stat()
	if err != nil {
		return fmt.Errorf("looking at the journal: %w", err)
	}
	if err := j.Sync(j.pos); err != nil {
		return err
	}
	j.unclaimed = false
	return j.writeHead(j.file, j.generation, info.Ino)
}

// room keeps space behind the end. New messages do not use the last of it.
func (j *Journal) room(b *Batch) error {
	if j.allocated-j.pos >= reserve/2 {
		return nil
	}
	if err := j.reserve(); errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		for _, r := range b.Records {
			if _, ok := r.(Appended); ok {
				return fmt.Errorf("%w: %w", ErrFull, err)
			}
		}
	}
	return nil
}

func (j *Journal) reserve() error {
	err := j.file.Allocate(j.pos, reserve)
	if err == nil || errors.Is(err, errors.ErrUnsupported) {
		j.allocated = j.pos + reserve
		return nil
	}
	return err
}

// Lend gives the reserve back to the file system for a moment: f, which may need a
// block where there is none (a directory that must grow for a name), gets the first of
// it. What can be had is reserved again afterwards. Under the folder's lock.
func (j *Journal) Lend(f func() error) error {
	if j.readOnly != nil || j.torn {
		return f()
	}
	if err := j.Wake(); err != nil {
		return err
	}
	if err := j.file.Truncate(j.pos); err != nil {
		return fmt.Errorf("lending the journal's reserve: %w", err)
	}
	j.allocated = 0
	err := f()
	for n := int64(reserve); n >= 4<<10; n /= 2 {
		if aerr := j.file.Allocate(j.pos, n); aerr == nil || errors.Is(aerr, errors.ErrUnsupported) {
			j.allocated = j.pos + n
			break
		}
	}
	return err
}

// Sync returns once the journal is durable up to a position that Append returned.
// Callers that wait share one fsync. After a failure it returns ErrSyncFailed for
// what was not durable before.
func (j *Journal) Sync(upTo int64) error {
	if !j.opt.Fsync {
		return nil
	}
	return j.sync.wait(upTo)
}

// Durable is the position up to which the journal is known to be durable.
func (j *Journal) Durable() int64 { return j.sync.position() }

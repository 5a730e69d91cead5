package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"postrider/index"
	"postrider/mail"
	"postrider/vfs"
)

// Severity says how bad a finding is.
type Severity uint8

// The severities.
const (
	// Note: worth knowing, and as it should be.
	Note Severity = iota
	// Unseen: a change of the directory that no session has taken in yet.
	Unseen
	// Damage: something that the files should never say.
	Damage
)

// Finding is something that does not agree.
type Finding struct {
	Severity Severity
	Part     string   // the file that is concerned: journal, index, cache; names for the directories
	UID      mail.UID // 0: none
	Text     string
}

func (f Finding) String() string {
	if f.UID != 0 {
		return fmt.Sprintf("%s: UID %d: %s", f.Part, f.UID, f.Text)
	}
	return f.Part + ": " + f.Text
}

// The parts.
const (
	partNames    = "names"
	partJournal  = index.JournalName
	partSnapshot = index.SnapshotName
	partCache    = index.CacheName
)

// maxFindings bounds how many findings of one part and severity are kept; the others are
// counted.
const maxFindings = 100

// Examination is what comparing a mailbox's directories and files found.
type Examination struct {
	Messages, Files, Cached int
	Findings                []Finding
	Left                    map[string]int // by part: how many more there are

	kept map[keptKey]int
}

type keptKey struct {
	part     string
	severity Severity
}

func (x *Examination) add(s Severity, part string, uid mail.UID, format string, args ...any) {
	if x.kept == nil {
		x.kept, x.Left = map[keptKey]int{}, map[string]int{}
	}
	key := keptKey{part, s}
	if x.kept[key]++; x.kept[key] > maxFindings {
		x.Left[part]++
		return
	}
	x.Findings = append(x.Findings, Finding{s, part, uid, fmt.Sprintf(format, args...)})
}

// Count is how many findings have a severity, those not kept included.
func (x *Examination) Count(s Severity) int {
	n := 0
	for key, k := range x.kept {
		if key.severity == s {
			n += k
		}
	}
	return n
}

// ExamineOptions say how much to look at.
type ExamineOptions struct {
	// Derive makes of a message what is cached of it. Nil: messages are not read.
	Derive func(Served) ([]CacheEntry, error)
	// Progress is told how much of the longest part is done. Nil: nobody is told.
	Progress func(done, total int)
	Now      func() time.Time // nil: time.Now
}

// Examine compares the names in the directories, the journal, the snapshot file and the
// cache, and changes nothing. It holds the folder's lock only while it reads the names
// and the journal's last batches. ErrNoIndex: there is nothing to compare.
func Examine(ctx context.Context, folder Folder, o ExamineOptions) (*Examination, error) {
	return examine(ctx, folder, o, folder.Dir().Lock)
}

// examiner is an examination in progress.
type examiner struct {
	*Examination
	ExamineOptions
	folder  Folder
	dir     vfs.Dir
	journal *index.JournalFile
	file    *index.Snapshot // nil: there is none that fits
	cache   *index.CacheFile
	looker  *looker
	at      *Snapshot // what the journal says where the snapshot file stands
	state   *Snapshot // and at its end
	ending  index.Ending
}

func examine(ctx context.Context, folder Folder, o ExamineOptions, lock func(context.Context) (func(), error)) (*Examination, error) {
	for range maxInspections {
		x := &examiner{Examination: &Examination{}, ExamineOptions: o, folder: folder}
		again, err := x.run(ctx, lock)
		x.close()
		if !again {
			return x.Examination, err
		}
	}
	return nil, errors.New("the journal is replaced faster than it can be read")
}

func (x *examiner) run(ctx context.Context, lock func(context.Context) (func(), error)) (again bool, err error) {
	if x.dir, err = lookAtIndexDir(x.folder); err != nil {
		return false, err
	}
	if whole, err := x.open(); !whole {
		return false, err
	}
	again, err = x.underLock(ctx, lock)
	if again || err != nil || x.state == nil {
		return again, err
	}
	x.sayHowItEnded()
	x.order(x.state)
	x.snapshotFile()
	x.cached()
	if x.Derive != nil {
		err = x.deep(ctx)
	}
	return false, err
}

// open opens the files and reads the journal, as far as it goes, before the lock is
// taken. The cache comes first: what is in it is of messages that the journal knows.
func (x *examiner) open() (whole bool, err error) {
	x.journal, err = index.LookAtJournal(x.dir)
	var bad *index.FormatError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.add(Damage, partJournal, 0, "the file is missing")
		return false, nil
	case errors.As(err, &bad):
		x.add(Damage, partJournal, 0, "%v", err)
		return false, nil
	case err != nil:
		return false, err
	}
	if x.journal.Written != x.journal.Ino {
		x.add(Note, partJournal, 0, "the file was copied or restored: UIDNEXT and the mod-sequence go on 1,000,000 above")
	}
	s, err := index.LookAtSnapshot(x.dir)
	switch {
	case errors.As(err, &bad):
		x.add(Damage, partSnapshot, 0, "%v", err)
	case err != nil:
		return false, err
	case s == nil:
	case s.Generation() != x.journal.Generation:
		x.add(Note, partSnapshot, 0, "it is of generation %d, the journal of %d: it is not used, and replaced in time", s.Generation(), x.journal.Generation)
		s.Close()
	default:
		x.file = s
	}
	if err := x.openCache(); err != nil {
		return false, err
	}
	x.looker = newLooker(x.Now)
	if x.file != nil && x.file.Pos() == x.journal.Start() {
		x.at = x.looker.state()
	}
	return true, x.readJournal(0)
}

// openCache needs the mailbox's UIDVALIDITY; the cache's own is compared later.
func (x *examiner) openCache() error {
	h, err := index.ReadCacheHead(x.dir)
	if err == nil {
		x.cache, err = index.LookAtCache(x.dir, h.UIDValidity)
	}
	var bad *index.FormatError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.As(err, &bad):
		x.add(Note, partCache, 0, "%v: it is begun anew", err)
		return nil
	}
	return err
}

// readJournal takes in the batches from an offset on. Where the snapshot file stands it
// keeps the state.
func (x *examiner) readJournal(from int64) error {
	ending, err := x.journal.Batches(from, func(b *index.Batch, end int64) bool {
		x.looker.take(b)
		if x.file != nil && end == x.file.Pos() {
			x.at = x.looker.state()
		}
		return true
	})
	gaps := append(x.ending.Gaps, ending.Gaps...)
	x.ending, x.ending.Gaps = ending, gaps
	if errors.Is(err, index.ErrDamaged) {
		x.add(Damage, partJournal, 0, "%v", err)
		return nil
	}
	return err
}

// underLock reads what came meanwhile, and the names. again says that the journal was
// replaced.
func (x *examiner) underLock(ctx context.Context, lock func(context.Context) (func(), error)) (again bool, err error) {
	unlock, err := lock(ctx)
	if err != nil {
		return false, fmt.Errorf("locking the mailbox: %w", err)
	}
	defer unlock()
	named, err := x.journal.Grown()
	if err != nil || !named || x.ending.Replaced {
		return true, err
	}
	if err := x.readJournal(x.ending.End); err != nil {
		return false, err
	}
	x.state = x.looker.state()
	return false, x.names(ctx)
}

// sayHowItEnded tells of what is wrong with the journal as a file.
func (x *examiner) sayHowItEnded() {
	e := &x.ending
	for _, g := range e.Gaps {
		x.add(Damage, partJournal, 0, "bytes %d to %d were on disk once and cannot be read", g.From, g.To)
	}
	if e.Torn {
		x.add(Note, partJournal, 0, "a batch that was not finished lies at byte %d: nobody was told of it, and it is cut off", e.End)
	}
	if e.ReadOnly != nil {
		x.add(Note, partJournal, 0, "%v", e.ReadOnly)
	}
	if x.state.UIDValidity() == 0 {
		x.add(Damage, partJournal, 0, "it gives no UIDVALIDITY")
	}
}

func (x *examiner) close() {
	if x.cache != nil {
		x.cache.Close()
	}
	if x.file != nil {
		x.file.Close()
	}
	if x.journal != nil {
		x.journal.Close()
	}
	if x.dir != nil {
		x.dir.Close()
	}
}

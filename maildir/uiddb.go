package maildir

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"postrider/mail"
	"postrider/vfs"
)

// courierimapuiddb is Courier's list of a folder's UIDs:
//
//	1 <uidvalidity> <uidnext>
//	<uid> <base name>
//	...
//
// Courier takes a file whose first line it cannot read as missing, and gives the
// folder a new UIDVALIDITY; so here such a file is an error, and it is never
// replaced by a file that could be read in part after a power cut.
const (
	uiddbFile     = "courierimapuiddb"
	forgottenFile = "courierimapuiddb.forgotten"
)

// Bounds of what is read.
const (
	maxUIDDBSize    = 2 << 30
	maxUIDDBEntries = 8 << 20
	maxUIDDBLine    = len("4294967295 ") + maxFileName
)

// ErrUIDDB says that a courierimapuiddb is there and cannot be understood.
var ErrUIDDB = errors.New("courierimapuiddb cannot be read")

// UIDDB is what a folder's courierimapuiddb says.
type UIDDB struct {
	Validity mail.UIDValidity
	Next     mail.UID   // above every UID in Entries
	Entries  []UIDEntry // ascending; no UID and no base name twice
}

// UIDEntry gives the message with a base name its UID.
type UIDEntry struct {
	UID  mail.UID
	Base string
}

// ReadUIDDB reads courierimapuiddb. The error satisfies errors.Is with
// fs.ErrNotExist if there is none, and with ErrUIDDB if its first line is not as
// it should be or it is beyond all bounds. Other lines that cannot be read, and
// those that say again what an earlier line said otherwise, are left out.
func (f *Folder) ReadUIDDB() (UIDDB, error) {
	file, err := f.dir.Open(uiddbFile)
	if err != nil {
		return UIDDB{}, fmt.Errorf("read Courier's UIDs: %w", err)
	}
	defer file.Close()
	db, err := parseUIDDB(io.LimitReader(file, maxUIDDBSize+1))
	if err != nil {
		return UIDDB{}, fmt.Errorf("read Courier's UIDs: %s: %w", f.dir.Path(), err)
	}
	return db, nil
}

// parseUIDDB reads the file's text.
func parseUIDDB(r io.Reader) (UIDDB, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	head, err := uiddbLine(in)
	if err != nil && err != io.EOF {
		return UIDDB{}, err
	}
	db, err := parseUIDDBHead(head)
	if err != nil {
		return UIDDB{}, err
	}
	for {
		line, err := uiddbLine(in)
		if e, ok := parseUIDEntry(line); ok {
			if len(db.Entries) == maxUIDDBEntries {
				return UIDDB{}, fmt.Errorf("%w: more than %d messages", ErrUIDDB, maxUIDDBEntries)
			}
			db.Entries = append(db.Entries, e)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return UIDDB{}, err
		}
	}
	db.settle()
	return db, nil
}

// uiddbLine reads the next line without its end; one that is too long to say
// anything comes out empty. io.EOF comes with the last line.
func uiddbLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadSlice('\n')
	long := len(line) > maxUIDDBLine+1
	for err == bufio.ErrBufferFull {
		long = true
		_, err = in.ReadSlice('\n')
	}
	if long {
		return "", err
	}
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	return string(line), err
}

func parseUIDDBHead(line string) (UIDDB, error) {
	words := strings.Fields(line)
	if len(words) < 3 || words[0] != "1" {
		return UIDDB{}, fmt.Errorf("%w: its first line is %.60q", ErrUIDDB, line)
	}
	validity, err := strconv.ParseUint(words[1], 10, 32)
	next, err2 := strconv.ParseUint(words[2], 10, 32)
	if err != nil || err2 != nil || validity == 0 {
		return UIDDB{}, fmt.Errorf("%w: its first line is %.60q", ErrUIDDB, line)
	}
	return UIDDB{Validity: mail.UIDValidity(validity), Next: mail.UID(max(next, 1))}, nil
}

// parseUIDEntry takes a line apart at its first blank.
func parseUIDEntry(line string) (UIDEntry, bool) {
	number, base, ok := strings.Cut(line, " ")
	uid, err := strconv.ParseUint(number, 10, 32)
	if !ok || err != nil || uid == 0 || uid == math.MaxUint32 || !validBase(base) {
		return UIDEntry{}, false
	}
	return UIDEntry{mail.UID(uid), base}, true
}

// validBase reports whether a message can have this base name.
func validBase(base string) bool {
	return base != "" && base[0] != '.' && len(base) <= maxFileName && !strings.ContainsAny(base, "/\x00\n")
}

// settle puts the entries in order. Of two that contradict each other the first in
// the file stays.
func (db *UIDDB) settle() {
	byUID := func(a, b UIDEntry) int { return cmp.Compare(a.UID, b.UID) }
	if !slices.IsSortedFunc(db.Entries, byUID) {
		slices.SortStableFunc(db.Entries, byUID)
	}
	db.Entries = slices.CompactFunc(db.Entries, func(a, b UIDEntry) bool { return a.UID == b.UID })
	seen := make(map[string]struct{}, len(db.Entries))
	db.Entries = slices.DeleteFunc(db.Entries, func(e UIDEntry) bool {
		_, again := seen[e.Base]
		seen[e.Base] = struct{}{}
		return again
	})
	if n := len(db.Entries); n > 0 {
		db.Next = max(db.Next, db.Entries[n-1].UID+1)
	}
}

// All yields the entries.
func (db UIDDB) All() iter.Seq2[mail.UID, string] {
	return func(yield func(mail.UID, string) bool) {
		for _, e := range db.Entries {
			if !yield(e.UID, e.Base) {
				return
			}
		}
	}
}

// WriteUIDDB replaces courierimapuiddb, or makes it. Whoever reads it sees the old
// file or the new one, whole, also after a power cut. Durable on return.
func (f *Folder) WriteUIDDB(db UIDDB) error {
	s, err := f.StageUIDDB(db.Validity, db.Next, db.All())
	if err != nil {
		return err
	}
	return s.Publish()
}

// StagedUIDDB is a courierimapuiddb that is written but not in its place. One of
// Publish and Abort ends it.
type StagedUIDDB struct {
	f     *Folder
	name  string // in tmp
	stamp string
}

// StageUIDDB writes a courierimapuiddb to tmp. It takes no lock. The entries come in
// ascending order; one whose base name cannot be written is left out.
func (f *Folder) StageUIDDB(v mail.UIDValidity, next mail.UID, entries iter.Seq2[mail.UID, string]) (*StagedUIDDB, error) {
	name, file, err := f.createSide(f.o.FileMode)
	if err != nil {
		return nil, fmt.Errorf("write Courier's UIDs: %w", err)
	}
	out := bufio.NewWriterSize(file, 64<<10)
	fmt.Fprintf(out, "1 %d %d\n", v, next)
	line := make([]byte, 0, maxUIDDBLine+1)
	for uid, base := range entries {
		if validBase(base) {
			line = append(strconv.AppendUint(line[:0], uint64(uid), 10), ' ')
			out.Write(append(append(line, base...), '\n'))
		}
	}
	s := &StagedUIDDB{f: f, name: name}
	err = out.Flush()
	if err == nil && !f.o.NoSync {
		err = file.Sync()
	}
	if err == nil {
		s.stamp, err = fileStamp(file)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		s.Abort()
		return nil, fmt.Errorf("write Courier's UIDs: %w", err)
	}
	return s, nil
}

// createSide makes an empty file in tmp for one of Courier's files.
func (f *Folder) createSide(mode fs.FileMode) (string, vfs.File, error) {
	var err error
	for range maxUniqueTries {
		name := f.o.Unique.Temp()
		var file vfs.File
		file, err = f.tmp.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return name, file, err
		}
	}
	return "", nil, err
}

// Stamp is what UIDDBStamp returns once the file is in its place.
func (s *StagedUIDDB) Stamp() string { return s.stamp }

// Publish puts the file in its place.
func (s *StagedUIDDB) Publish() error {
	if err := s.f.tmp.Rename(s.name, s.f.dir, uiddbFile); err != nil {
		s.Abort()
		return fmt.Errorf("write Courier's UIDs: %w", err)
	}
	if s.f.o.NoSync {
		return nil
	}
	if err := s.f.dir.Sync(); err != nil {
		return fmt.Errorf("write Courier's UIDs: %w", err)
	}
	return nil
}

// Abort removes the file.
func (s *StagedUIDDB) Abort() error { return ignoreMissing(s.f.tmp.Remove(s.name)) }

// UIDDBStamp tells the courierimapuiddb of this moment from every other; "" if there
// is none.
func (f *Folder) UIDDBStamp() (string, error) {
	st, err := f.dir.Stat(uiddbFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look at Courier's UIDs: %w", err)
	}
	return stampOf(st), nil
}

func fileStamp(file vfs.File) (string, error) {
	st, err := file.Stat()
	return stampOf(st), err
}

func stampOf(st vfs.Info) string {
	return fmt.Sprintf("%d.%d.%d", st.Ino, st.Mtime.UnixNano(), st.Size)
}

// ForgetUIDDB puts courierimapuiddb aside, under another name. None is not an error.
func (f *Folder) ForgetUIDDB() error {
	err := f.dir.Rename(uiddbFile, f.dir, forgottenFile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOENT) {
		return nil
	}
	if err == nil {
		err = f.dir.Sync()
	}
	if err != nil {
		return fmt.Errorf("put Courier's UIDs aside: %w", err)
	}
	return nil
}

package account

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
)

// Record is what another server wrote down of a folder's messages: its list of UIDs,
// with the keywords beside it.
type Record struct {
	Software    string // "Courier" or "Dovecot"
	File        string // the list of UIDs
	Version     int    // of that file's format
	Written     time.Time
	UIDValidity mail.UIDValidity
	UIDNext     mail.UID
	Listed      int      // messages in the list
	Damaged     int      // lines that could not be read
	Keywords    []string // names, where a file has them all
	Beyond      bool     // there may be keywords that no file tells
	Lost        error    // why the keywords cannot be read
	Refused     error    // why this record cannot be gone on with

	past *mailbox.Past
}

// Courier's list is courierimapuiddb, which has one version.
const (
	courier       = "Courier"
	dovecot       = "Dovecot"
	courierList   = "courierimapuiddb"
	dovecotList   = "dovecot-uidlist"
	courierFormat = 1
)

// readRecords returns the records in a folder, the one to go on with first: the
// newest that can be used. control is where Dovecot has its files, nil for the
// folder's own directory. An error says that a record is there and cannot be read
// now: nothing can be concluded then.
func readRecords(f *maildir.Folder, control vfs.Dir) ([]*Record, error) {
	if control == nil {
		control = f.Dir()
	}
	c, err := courierRecord(f)
	if err != nil {
		return nil, err
	}
	d, err := dovecotRecord(control)
	if err != nil {
		return nil, err
	}
	switch {
	case c == nil && d == nil:
		return nil, nil
	case d == nil:
		return []*Record{c}, nil
	case c == nil:
		return []*Record{d}, nil
	case c.Refused != nil || d.Refused == nil && d.Written.After(c.Written):
		return []*Record{d, c}, nil
	}
	return []*Record{c, d}, nil
}

// present looks for a file of another server. A link or a directory is none of its
// files.
func present(dir vfs.Dir, name string) (vfs.Info, bool, error) {
	st, err := dir.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return st, false, nil
	}
	if err != nil {
		return st, false, fmt.Errorf("look at %s: %w", name, err)
	}
	return st, st.Type == vfs.Regular, nil
}

func courierRecord(f *maildir.Folder) (*Record, error) {
	st, ok, err := present(f.Dir(), courierList)
	if !ok || err != nil {
		return nil, err
	}
	r := &Record{Software: courier, File: courierList, Version: courierFormat, Written: st.Mtime}
	db, err := f.ReadUIDDB()
	if errors.Is(err, maildir.ErrUIDDB) {
		r.Refused = err
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	lines, err := f.UIDDBLines()
	if err != nil {
		return nil, err
	}
	words, err := f.ReadKeywords()
	if r.keywordsLost(err) {
		words = map[string][]string{}
	} else if err != nil {
		return nil, err
	}
	r.past = &mailbox.Past{Messages: make(map[string]mailbox.PastMessage, len(db.Entries))}
	for uid, base := range db.All() {
		r.past.Messages[base] = mailbox.PastMessage{UID: uid, Keywords: words[base]}
		delete(words, base)
	}
	for base, words := range words {
		r.past.Messages[base] = mailbox.PastMessage{Keywords: words}
	}
	r.finish(db.Validity, db.Next, len(db.Entries), lines-len(db.Entries))
	return r, nil
}

func dovecotRecord(dir vfs.Dir) (*Record, error) {
	st, ok, err := present(dir, dovecotList)
	if !ok || err != nil {
		return nil, err
	}
	r := &Record{Software: dovecot, File: dovecotList, Written: st.Mtime}
	l, err := maildir.ReadUIDList(dir)
	if errors.Is(err, maildir.ErrDovecot) {
		r.Refused = err
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	words, err := maildir.ReadDovecotKeywords(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !r.keywordsLost(err) {
		return nil, err
	}
	r.past = &mailbox.Past{Messages: make(map[string]mailbox.PastMessage, len(l.UIDs)), Shown: words.Of}
	for base, uid := range l.UIDs {
		r.past.Messages[base] = mailbox.PastMessage{UID: uid}
	}
	for _, name := range words.Names {
		if name != "" {
			r.Keywords = append(r.Keywords, name)
		}
	}
	r.Keywords = append(r.Keywords, words.Beyond...)
	r.Version, r.Beyond = l.Version, words.Full()
	r.finish(l.Validity, l.Next, len(l.UIDs), l.Damaged+l.Duplicates+words.Damaged)
	return r, nil
}

// keywordsLost reports, and notes, that keywords will never be read: what lies there
// is no file, or is beyond all bounds. The UIDs are worth more than to wait for that.
func (r *Record) keywordsLost(err error) bool {
	for _, never := range []error{vfs.ErrNotRegular, syscall.EFBIG, syscall.ENOTDIR, syscall.ELOOP} {
		if errors.Is(err, never) {
			r.Lost = err
			return true
		}
	}
	return false
}

func (r *Record) finish(v mail.UIDValidity, next mail.UID, listed, damaged int) {
	r.UIDValidity, r.UIDNext, r.Listed, r.Damaged = v, next, listed, damaged
	r.past.Software, r.past.UIDValidity, r.past.UIDNext, r.past.Damaged = r.Software, v, next, damaged
	r.Refused = r.past.Check()
}

// controlDir opens the directory where Dovecot has the files of a folder, if it has
// been told to keep them elsewhere; nil if it has not, or has none for this folder.
func (a *shared) controlDir(folder vfs.Dir) (vfs.Dir, error) {
	if a.control == "" {
		return nil, nil
	}
	dir, _ := strings.CutPrefix(folder.Path(), a.root.Path())
	return openControl(a.h.c.FS, a.control, strings.TrimPrefix(dir, "/"))
}

// openControl opens the part of a control directory for a folder, "" for the inbox.
func openControl(f vfs.FS, control, dir string) (vfs.Dir, error) {
	if dir == "" {
		dir = ".INBOX"
	}
	root, err := f.OpenDir(control)
	if err != nil {
		return nil, fmt.Errorf("open Dovecot's control directory: %w", err)
	}
	defer root.Close()
	d, err := root.OpenDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return d, err
}

// predecessor says what another server knew of a folder that is opened for the
// first time. No folder of this account gets a UIDVALIDITY below what it returns.
func (a *shared) predecessor(f *maildir.Folder) (*mailbox.Past, error) {
	log := a.h.c.Logger.With("folder", f.Dir().Path())
	control, err := a.controlDir(f.Dir())
	if err != nil {
		return nil, err
	}
	if control != nil {
		defer control.Close()
	}
	records, err := readRecords(f, control)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		if maildir.DovecotWasHere(f.Dir()) {
			log.Warn("Dovecot served this folder, but its " + dovecotList + " is not here: the UIDs begin anew")
		}
		return nil, nil
	}
	r := records[0]
	if r.Refused != nil {
		log.Warn("the UIDs of another server are not taken over", "file", r.File, "err", r.Refused)
		return nil, nil
	}
	if len(records) > 1 {
		log.Info("two servers left lists of UIDs; the newer that can be used is taken", "file", r.File, "not", records[1].File)
	}
	if r.Lost != nil {
		log.Warn("the keywords of another server cannot be read", "err", r.Lost)
	}
	if r.Beyond {
		log.Warn("all keywords that Dovecot has letters for are in use; keywords beyond those are in its index alone, and are lost")
	}
	last, err := maildir.ReadDovecotValidity(a.root)
	if err != nil {
		log.Warn("the last UIDVALIDITY that Dovecot gave is not known", "err", err)
	}
	if err := a.ledger.RaiseValidity(max(last, r.UIDValidity)); err != nil {
		return nil, err
	}
	return r.past, nil
}

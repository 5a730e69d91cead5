package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"postrider/mail"
	"postrider/maildir"
	"postrider/vfs"
)

// Survey is what an account's Maildir holds, as far as it matters to taking it over.
type Survey struct {
	Root     string
	Encoding maildir.Encoding
	Folders  []FolderSurvey // the inbox first, then by directory

	SubscriptionsFrom string // the file that counts; "" for none
	Subscriptions     int    // mailboxes in it
	Files             []string
	Odd               []string
}

// FolderSurvey is what one folder holds. Kept, New and Gone are what taking it over
// would come to; they are 0 where nothing is taken over.
type FolderSurvey struct {
	Dir     string // "" is the inbox
	Name    mail.Name
	Ours    bool      // a journal is there: it was taken over, or it is not the first open
	Records []*Record // of other servers; the first is gone on with, if it is not refused

	Messages int // files
	Kept     int // with the UID that they had
	New      int // that get one
	Gone     int // in the record, without a file
	Keywords []string
	Files    []string // of other kinds that are known: ACLs, quotas
	Odd      []string
}

// Used is the record that is gone on with, nil for none.
func (f *FolderSurvey) Used() *Record {
	if f.Ours || len(f.Records) == 0 || f.Records[0].Refused != nil {
		return nil
	}
	return f.Records[0]
}

// knownFiles are those that another server keeps beside the messages, and that are
// not taken over.
var knownFiles = [...]string{
	"courierimapacl", "courierimaphieracl", "courierimapsnapshots", "courierpop3dsizelist", "dovecot-acl", "dovecot-acl-list",
	"maildirsize", "maildirfilter", "shared-maildirs", "shared-folders", "shared-timestamp", "loginexec", "quotawarn", "sieve", ".dovecot.sieve",
}

// Examine looks at the Maildir of an account. It reads, and changes nothing. An
// error says that it could not be looked at as a whole; what is wrong with a folder
// is in its survey.
func Examine(ctx context.Context, f vfs.FS, c Config) (*Survey, error) {
	root, err := f.OpenDir(c.Root)
	if err != nil {
		return nil, fmt.Errorf("examine %s: %w", c.Root, err)
	}
	defer root.Close()
	e := &examiner{ctx: ctx, fs: f, root: root, control: c.DovecotControl, s: &Survey{Root: c.Root}}
	if err := e.run(c); err != nil {
		return nil, fmt.Errorf("examine %s: %w", c.Root, err)
	}
	return e.s, nil
}

// examiner is an examination in progress.
type examiner struct {
	ctx     context.Context
	fs      vfs.FS
	root    vfs.Dir
	control string
	naming  maildir.Naming
	owner   uint32
	s       *Survey
}

func (e *examiner) run(c Config) error {
	st, err := e.root.StatSelf()
	if err != nil {
		return err
	}
	e.owner = st.UID
	e.naming.Escapes = c.Style.Delimiter != '.'
	if c.Encoding != nil {
		e.naming.Encoding = *c.Encoding
	} else if e.naming.Encoding, err = maildir.DetectEncoding(e.root); err != nil {
		return err
	}
	e.s.Encoding = e.naming.Encoding
	dirs, err := e.directories()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		e.s.Folders = append(e.s.Folders, e.folder(dir))
	}
	return e.subscriptions()
}

// directories lists what may be a folder, the inbox first, and takes in what else
// lies in the root.
func (e *examiner) directories() ([]string, error) {
	var dirs []string
	err := e.root.List(func(name string, t vfs.Type) bool {
		if t == vfs.Unknown {
			if st, err := e.root.Stat(name); err == nil {
				t = st.Type
			}
		}
		switch {
		case slices.Contains(knownFiles[:], name):
			e.s.Files = append(e.s.Files, name)
		case name[0] != '.':
		case t == vfs.Directory:
			dirs = append(dirs, name)
		case t == vfs.Symlink:
			e.s.Odd = append(e.s.Odd, fmt.Sprintf("%q is a symbolic link: it is no folder", name))
		}
		return true
	})
	slices.Sort(dirs)
	slices.Sort(e.s.Files)
	return append([]string{""}, dirs...), err
}

// subscriptions finds the list that counts: Courier's, which is ours, else Dovecot's.
func (e *examiner) subscriptions() error {
	lines, err := maildir.ReadSubscribed(e.root)
	if err != nil {
		return err
	}
	have, err := hasSubscriptions(e.root)
	if have {
		e.s.SubscriptionsFrom, e.s.Subscriptions = subscribedFile, len(lines)
	}
	if have || err != nil {
		return err
	}
	names, odd, err := dovecotSubscriptions(e.fs, e.root, e.control)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		e.s.Odd = append(e.s.Odd, "Dovecot's subscriptions cannot be read: "+err.Error())
		return nil
	case odd > 0:
		e.s.Odd = append(e.s.Odd, fmt.Sprintf("%d lines of Dovecot's subscriptions name no mailbox", odd))
	}
	e.s.SubscriptionsFrom, e.s.Subscriptions = "subscriptions", len(names)
	return nil
}

// Messages counts the files of all folders, and those that keep their UID.
func (s *Survey) Messages() (all, kept int) {
	for i := range s.Folders {
		all, kept = all+s.Folders[i].Messages, kept+s.Folders[i].Kept
	}
	return all, kept
}

// Oddities counts what an administrator should look at.
func (s *Survey) Oddities() int {
	n := len(s.Odd)
	for i := range s.Folders {
		n += len(s.Folders[i].Odd)
	}
	return n
}

// Software names the servers whose records are gone on with.
func (s *Survey) Software() string {
	var names []string
	for i := range s.Folders {
		if r := s.Folders[i].Used(); r != nil && !slices.Contains(names, r.Software) {
			names = append(names, r.Software)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " and ")
}

package account

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"postrider/mail"
	"postrider/maildir"
	"postrider/vfs"
)

// Sight is an account that is looked at: nothing of it is made, changed or watched.
type Sight struct {
	files vfs.FS
	root  vfs.Dir
	names []mail.Name
	dirs  map[mail.Name]string
}

// ErrNoMaildir says that a directory is no Maildir.
var ErrNoMaildir = errors.New("not a Maildir: it has no cur")

// Look reads which folders the Maildir at c.Root has. Close gives it back.
func Look(files vfs.FS, c Config) (*Sight, error) {
	root, err := files.OpenDir(c.Root)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", c.Root, err)
	}
	s, err := look(root, c)
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("look at %s: %w", c.Root, err)
	}
	s.files = files
	return s, nil
}

func look(root vfs.Dir, c Config) (*Sight, error) {
	if info, err := root.Stat("cur"); errors.Is(err, fs.ErrNotExist) || err == nil && info.Type != vfs.Directory {
		return nil, ErrNoMaildir
	} else if err != nil {
		return nil, err
	}
	if c.Style == (Style{}) {
		c.Style = PlainStyle()
	}
	naming := maildir.Naming{Escapes: c.Style.Delimiter != '.'}
	if c.Encoding != nil {
		naming.Encoding = *c.Encoding
	} else {
		var err error
		if naming.Encoding, err = maildir.DetectEncoding(root); err != nil {
			return nil, err
		}
	}
	entries, err := maildir.ListFolders(root, naming)
	if err != nil {
		return nil, err
	}
	s := &Sight{root: root, dirs: make(map[mail.Name]string, len(entries))}
	for _, e := range entries {
		s.names, s.dirs[e.Name] = append(s.names, e.Name), e.Dir
	}
	slices.SortFunc(s.names, compareNames)
	return s, nil
}

// compareNames has the inbox first.
func compareNames(a, b mail.Name) int {
	switch {
	case a == b:
		return 0
	case a == mail.Inbox:
		return -1
	case b == mail.Inbox:
		return 1
	}
	return strings.Compare(string(a), string(b))
}

// Names are the mailboxes, the inbox first.
func (s *Sight) Names() []mail.Name { return s.names }

// Root is the account's own directory, open until Close.
func (s *Sight) Root() vfs.Dir { return s.root }

// At is the mailbox that lies in a directory of the root.
func (s *Sight) At(dir string) (mail.Name, bool) {
	for n, d := range s.dirs {
		if d == dir {
			return n, true
		}
	}
	return "", false
}

// Folder opens the directories of a mailbox, and makes none. It is the caller's to
// close.
func (s *Sight) Folder(n mail.Name) (*maildir.Folder, error) {
	name, ok := s.dirs[n]
	if !ok {
		return nil, ErrNoMailbox
	}
	var dir vfs.Dir
	var err error
	if name == "" { // a folder closes its handle, so the inbox gets one of its own
		dir, err = s.files.OpenDir(s.root.Path())
	} else {
		dir, err = s.root.OpenDir(name)
	}
	if err != nil {
		return nil, err
	}
	return maildir.LookAt(dir, maildir.Options{})
}

// Close gives the account back.
func (s *Sight) Close() error { return s.root.Close() }

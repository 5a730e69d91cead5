package maildir

import (
	"fmt"

	"postrider/vfs"
)

// LookAt opens the Maildir in dir, which becomes the folder's to close, also if LookAt
// fails. Unlike OpenFolder it makes no directory that is missing.
func LookAt(dir vfs.Dir, o Options) (*Folder, error) {
	f := &Folder{o: o.withDefaults(), dir: dir}
	var err error
	for _, sub := range []struct {
		name string
		to   *vfs.Dir
	}{{"cur", &f.cur}, {"new", &f.new}, {"tmp", &f.tmp}} {
		if *sub.to, err = dir.OpenDir(sub.name); err != nil {
			*sub.to = nil
			f.Close()
			return nil, fmt.Errorf("look at Maildir %s: %w", dir.Path(), err)
		}
	}
	return f, nil
}

package maildir

import (
	"errors"
	"fmt"
	"io/fs"

	"postrider/vfs"
)

// LookAt opens the Maildir in dir for reading alone; it becomes the folder's to close,
// also if LookAt fails. Unlike OpenFolder it makes no directory that is missing. That
// there is no tmp does not matter to who only reads.
func LookAt(dir vfs.Dir, o Options) (*Folder, error) {
	f := &Folder{o: o.withDefaults(), dir: dir}
	var err error
	for _, sub := range []struct {
		name string
		to   *vfs.Dir
	}{{"cur", &f.cur}, {"new", &f.new}, {"tmp", &f.tmp}} {
		if *sub.to, err = dir.OpenDir(sub.name); err != nil {
			*sub.to = nil
			if sub.name == "tmp" && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			f.Close()
			return nil, fmt.Errorf("look at Maildir %s: %w", dir.Path(), err)
		}
	}
	return f, nil
}

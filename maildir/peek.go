package maildir

import (
	"errors"
	"fmt"
	"io/fs"

	"postrider/vfs"
)

// PeekFolder opens the Maildir in dir for reading alone: nothing is made, and only
// the methods that read work. dir becomes the folder's to close, also if PeekFolder
// fails. A part that is missing is named in an error that satisfies errors.Is with
// fs.ErrNotExist.
func PeekFolder(dir vfs.Dir) (*Folder, error) {
	f := &Folder{o: Options{}.withDefaults(), dir: dir}
	var errs []error
	for name, part := range map[string]*vfs.Dir{"cur": &f.cur, "new": &f.new, "tmp": &f.tmp} {
		d, err := dir.OpenDir(name)
		if err == nil {
			*part = d
		} else if name == "tmp" && !errors.Is(err, fs.ErrNotExist) {
			continue // nothing is read there
		} else {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		f.Close()
		return nil, fmt.Errorf("look at Maildir %s: %w", dir.Path(), err)
	}
	return f, nil
}

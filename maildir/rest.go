package maildir

import "postrider/vfs"

// Rest gives the folder's descriptors back, if it was opened with Options.Reopen. What
// uses the folder next opens them again, and gets fs.ErrNotExist if the folder, or the
// directory in it, is no longer the one that it was.
func (f *Folder) Rest() {
	for _, d := range [...]vfs.Dir{f.tmp, f.new, f.cur, f.dir} {
		vfs.Rest(d)
	}
}

// OnWake has fn called whenever a descriptor was opened again after Rest, by whoever
// uses the folder, with whatever locks that one holds.
func (f *Folder) OnWake(fn func()) { f.woken.Store(&fn) }

func (f *Folder) wake() {
	if fn := f.woken.Load(); fn != nil {
		(*fn)()
	}
}

// open opens a directory of the folder, which rests with it.
func (f *Folder) open(name string) (vfs.Dir, error) {
	d, err := f.dir.OpenDir(name)
	if err != nil || f.o.Reopen == nil {
		return d, err
	}
	return vfs.NewSleeper(d, func() (vfs.Dir, error) { return f.dir.OpenDir(name) }, f.wake), nil
}

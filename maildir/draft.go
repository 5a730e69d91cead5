package maildir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"postrider/mail"
	"postrider/vfs"
)

// draft is a file in tmp on its way to cur.
type draft struct {
	f    *Folder
	name string   // in tmp
	file vfs.File // nil for a staged copy: there may be very many at once

	text *storer // nil for a staged copy

	linked       bool // shares its inode with another message
	settled      bool // and that was written long ago
	dev, ino     uint64
	stored       int64 // sizes of a staged copy
	served       int64
	verbatimCopy bool
}

// maxUniqueTries bounds how often a name is made anew because it is taken,
// which only a foreign writer with our host name and pid can cause.
const maxUniqueTries = 16

// Create makes an empty file in tmp. Its bytes are written in the form in which
// they are stored.
func (f *Folder) Create(n int64) (mail.MessageDraft, error) {
	d, err := f.createTemp()
	if err != nil {
		return nil, err
	}
	d.text = &storer{file: d.file}
	return d, nil
}

func (f *Folder) createTemp() (*draft, error) {
	var err error
	for range maxUniqueTries {
		name := f.o.Unique.Temp()
		var file vfs.File
		file, err = f.tmp.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, f.o.FileMode)
		if err == nil {
			return &draft{f: f, name: name, file: file}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return nil, fmt.Errorf("create a message in %s: %w", f.dir.Path(), err)
}

// StageCopy makes a copy of the message m of the Maildir src in tmp: a hard link
// where that is possible, else a copy of the bytes. A link is safe: flags are in the
// name, nobody writes into a message file, and the date is the same.
func (f *Folder) StageCopy(src interface{ Dir() vfs.Dir }, m mail.MessageFile) (mail.MessageDraft, error) {
	from, done, err := openSub(src, m.New)
	if err != nil {
		return nil, err
	}
	defer done()
	d, err := f.linkTemp(from, m.Name)
	if d == nil && err == nil {
		d, err = f.copyTemp(from, m.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("copy a message to %s: %w", f.dir.Path(), err)
	}
	d.served = m.CRLFSize
	d.verbatimCopy = hasVerbatimField(m.Base)
	return d, nil
}

// openSub is new or cur of a Maildir, and what is to be done after its use.
func openSub(src interface{ Dir() vfs.Dir }, inNew bool) (vfs.Dir, func(), error) {
	if f, ok := src.(*Folder); ok {
		return f.sub(inNew), func() {}, nil
	}
	where := "cur"
	if inNew {
		where = "new"
	}
	d, err := src.Dir().OpenDir(where)
	if err != nil {
		return nil, nil, err
	}
	return d, func() { d.Close() }, nil
}

// linkTemp returns nil and no error where a link cannot be made but a copy can.
func (f *Folder) linkTemp(from vfs.Dir, name string) (*draft, error) {
	st, err := from.Stat(name)
	if err != nil {
		return nil, err
	}
	if st.Type != vfs.Regular {
		return nil, vfs.ErrNotRegular
	}
	for range maxUniqueTries {
		temp := f.o.Unique.Temp()
		err = from.Link(name, f.tmp, temp)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			return f.checkLink(&draft{f: f, name: temp, linked: true, settled: f.o.Now().Sub(st.Ctime) > settleAge,
				dev: st.Dev, ino: st.Ino, stored: st.Size})
		}
		break
	}
	for _, e := range []error{syscall.EXDEV, syscall.EMLINK, syscall.EPERM, syscall.EOPNOTSUPP, syscall.ENOSYS} {
		if errors.Is(err, e) {
			return nil, nil
		}
	}
	return nil, err
}

// checkLink makes sure that the link is one to the file that was looked at.
func (f *Folder) checkLink(d *draft) (*draft, error) {
	st, err := f.tmp.Stat(d.name)
	if err == nil && (st.Ino != d.ino || st.Type != vfs.Regular) {
		err = fs.ErrNotExist
	}
	if err != nil {
		f.tmp.Remove(d.name)
		return nil, err
	}
	return d, nil
}

// copyTemp copies the bytes.
func (f *Folder) copyTemp(from vfs.Dir, name string) (*draft, error) {
	file, err := from.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	d, err := f.createTemp()
	if err != nil {
		return nil, err
	}
	d.stored, err = io.Copy(d.file, io.NewSectionReader(file, 0, st.Size))
	if err == nil {
		err = d.file.SetTimes(st.Mtime)
	}
	var made vfs.Info
	if err == nil {
		made, err = d.file.Stat()
	}
	err = errors.Join(err, d.file.Close())
	d.file, d.dev, d.ino = nil, made.Dev, made.Ino
	if err != nil {
		d.Abort()
		return nil, err
	}
	return d, nil
}

// Write takes bytes as they are to be served.
func (d *draft) Write(p []byte) (int, error) {
	if d.text == nil {
		return 0, errors.New("maildir: write to a staged copy")
	}
	return d.text.Write(p)
}

// settleAge is when the system has long written a file's bytes to the disk by itself,
// whether or not the program that delivered it synced it.
const settleAge = time.Minute

// Sync makes the bytes durable. Those of a link are so if the original is an old file.
func (d *draft) Sync() error {
	switch {
	case d.linked && d.settled:
		return nil
	case d.file == nil:
		return d.syncCopy()
	}
	if err := d.finish(); err != nil {
		return err
	}
	return d.file.Sync()
}

func (d *draft) syncCopy() error {
	file, err := d.f.tmp.Open(d.name)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

func (d *draft) finish() error {
	if d.text == nil {
		return nil
	}
	return d.text.finish()
}

// Size returns the octets stored, and served or -1.
func (d *draft) Size() (disk, crlf int64) {
	if d.text == nil {
		return d.stored, d.served
	}
	return d.text.sizes()
}

func (d *draft) verbatim() bool {
	if d.text == nil {
		return d.verbatimCopy
	}
	return d.text.needsField()
}

// Publish moves the file to cur under its final name. The date of a link is
// left alone: it is that of the original, too.
func (d *draft) Publish(flags mail.Flags, internal time.Time) (mail.MessageFile, error) {
	if err := d.finish(); err != nil {
		return mail.MessageFile{}, err
	}
	if err := d.settle(internal); err != nil {
		return mail.MessageFile{}, err
	}
	stored, served := d.Size()
	var err error
	for range maxUniqueTries {
		base := d.f.o.Unique.Base(d.dev, d.ino, stored, served, d.verbatim())
		name := FileName{Base: base}.WithFlags(flags).String()
		err = d.f.tmp.RenameNoReplace(d.name, d.f.cur, name)
		if err == nil {
			m := messageFile(name, false)
			m.Ino = d.ino
			return m, d.close()
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return mail.MessageFile{}, fmt.Errorf("publish a message in %s: %w", d.f.dir.Path(), err)
}

// settle sets the file's date and finds out its identity.
func (d *draft) settle(internal time.Time) error {
	if !internal.IsZero() && !d.linked {
		if d.file == nil {
			return d.f.tmp.SetTimes(d.name, internal)
		}
		if err := d.file.SetTimes(internal); err != nil {
			return err
		}
	}
	if d.file == nil {
		return nil
	}
	st, err := d.file.Stat()
	d.dev, d.ino = st.Dev, st.Ino
	return err
}

func (d *draft) close() error {
	if d.file == nil {
		return nil
	}
	return d.file.Close()
}

// Abort removes the file.
func (d *draft) Abort() error {
	err := d.f.tmp.Remove(d.name)
	return errors.Join(err, d.close())
}

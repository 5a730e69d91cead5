package maildir

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sync"

	"postrider/mail"
	"postrider/vfs"
)

// Served is a message's text as it is served, with CRLF line ends. Its methods
// may be called by several goroutines; Close comes last.
type Served = interface {
	io.ReaderAt
	io.WriterTo
	Size() (int64, error)
	Close() error
}

const (
	servedBlock = 64 << 10  // stored octets between two marks
	servedWhole = 256 << 10 // a stored message up to this size is expanded at once
)

// Served returns the message's octets as served over an open file of it, which
// becomes the result's to close, also on an error.
func (f *Folder) Served(m mail.MessageFile, file vfs.File) (Served, error) {
	s, err := f.serve(m.Base, file)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("read message %s: %w", m.Name, err)
	}
	return s, nil
}

func (f *Folder) serve(base string, file vfs.File) (Served, error) {
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size <= servedWhole {
		return f.serveWhole(base, file, st.Size)
	}
	first := make([]byte, firstLineLimit)
	n, err := file.ReadAt(first, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if IsVerbatim(base, first[:n]) {
		return &verbatimText{file, st.Size}, nil
	}
	return &longText{file: file, stored: st.Size, marks: []int64{0}}, nil
}

// serveWhole reads a short message.
func (f *Folder) serveWhole(base string, file vfs.File, size int64) (Served, error) {
	r, ok := f.rooms.Get().(*room)
	if !ok {
		r = new(room)
	}
	r.stored = slices.Grow(r.stored[:0], int(size))[:size]
	n, err := file.ReadAt(r.stored, 0)
	if err != nil && err != io.EOF {
		f.rooms.Put(r)
		return nil, err
	}
	text := r.stored[:n]
	if lines := bytes.Count(text, []byte{'\n'}); lines > 0 && !IsVerbatim(base, text) {
		r.served = appendCRLF(slices.Grow(r.served[:0], n+lines), text)
		text = r.served
	}
	return &wholeText{text, file, r, &f.rooms}, nil
}

// room is the memory that a short message is read into. A folder lends it to one after
// the other, so that reading many leaves no garbage.
type room struct{ stored, served []byte }

// wholeText is a short message in memory.
type wholeText struct {
	text  []byte
	file  vfs.File
	room  *room // nil: given back
	rooms *sync.Pool
}

func (t *wholeText) Size() (int64, error) { return int64(len(t.text)), nil }

func (t *wholeText) Close() error {
	if t.room != nil {
		t.rooms.Put(t.room)
		t.room, t.text = nil, nil
	}
	return t.file.Close()
}

func (t *wholeText) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= int64(len(t.text)) {
		return 0, io.EOF
	}
	n := copy(p, t.text[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (t *wholeText) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(t.text)
	return int64(n), err
}

// verbatimText is a file that is served byte for byte.
type verbatimText struct {
	file vfs.File
	size int64
}

func (t *verbatimText) Size() (int64, error)                    { return t.size, nil }
func (t *verbatimText) Close() error                            { return t.file.Close() }
func (t *verbatimText) ReadAt(p []byte, off int64) (int, error) { return t.file.ReadAt(p, off) }
func (t *verbatimText) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, io.NewSectionReader(t.file, 0, t.size))
}

// longText expands a large file block by block. marks[i] is where the i-th
// block of stored octets begins in the text served; as far as they are known.
type longText struct {
	file   vfs.File
	stored int64

	mu    sync.Mutex
	marks []int64
	last  int    // which block was expanded last, counted from 1: small readings follow each other
	text  []byte // what it is as served
}

func (t *longText) Close() error { return t.file.Close() }

// block reads the i-th block; less than asked for if the file was cut.
func (t *longText) block(buf []byte, i int) ([]byte, error) {
	at := int64(i) * servedBlock
	n, err := t.file.ReadAt(buf[:max(0, min(servedBlock, t.stored-at))], at)
	if err == io.EOF {
		err = nil
	}
	return buf[:n], err
}

func (t *longText) blocks() int { return int((t.stored + servedBlock - 1) / servedBlock) }

// findLocked returns the block that holds the served octet off, and where it begins.
// Beyond the end it returns the number of blocks and the size. It needs mu.
func (t *longText) findLocked(off int64) (block int, start int64, err error) {
	var buf []byte
	for t.marks[len(t.marks)-1] <= off && len(t.marks) <= t.blocks() {
		if buf == nil {
			buf = make([]byte, servedBlock)
		}
		b, err := t.block(buf, len(t.marks)-1)
		if err != nil {
			return 0, 0, err
		}
		next := t.marks[len(t.marks)-1] + int64(len(b)+bytes.Count(b, []byte{'\n'}))
		t.marks = append(t.marks, next)
	}
	lo, hi := 0, len(t.marks)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; t.marks[mid] <= off {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo, t.marks[lo], nil
}

func (t *longText) Size() (int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, size, err := t.findLocked(1 << 62)
	return size, err
}

// expandedLocked is a block as it is served, until the next call. It needs mu.
func (t *longText) expandedLocked(i int) ([]byte, error) {
	if t.last == i+1 {
		return t.text, nil
	}
	t.last = 0
	b, err := t.block(make([]byte, servedBlock), i)
	if err != nil {
		return nil, err
	}
	t.text, t.last = appendCRLF(t.text[:0], b), i+1
	return t.text, nil
}

func (t *longText) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, io.EOF
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i, start, err := t.findLocked(off)
	if err != nil {
		return 0, err
	}
	n := 0
	for skip := off - start; n < len(p); i++ {
		if i >= t.blocks() {
			return n, io.EOF
		}
		text, err := t.expandedLocked(i)
		if err != nil {
			return n, err
		}
		if skip < int64(len(text)) {
			n += copy(p[n:], text[skip:])
		}
		skip = max(0, skip-int64(len(text)))
	}
	return n, nil
}

func (t *longText) WriteTo(w io.Writer) (int64, error) {
	buf := make([]byte, servedBlock)
	out := make([]byte, 0, servedBlock+servedBlock/16)
	var total int64
	for i := range t.blocks() {
		b, err := t.block(buf, i)
		if err != nil {
			return total, err
		}
		out = appendCRLF(out[:0], b)
		n, err := w.Write(out)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

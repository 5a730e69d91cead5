package message

import (
	"bytes"
	"io"
)

const blockSize = 32 << 10

// lines reads a message line by line in blocks.
type lines struct {
	r    io.ReaderAt
	size int64
	buf  []byte // what of the block is not consumed
	mem  []byte
	off  int64 // of buf[0] in the message
	err  error
}

// line is a line, or a piece of one that is longer than a block. The bytes are
// valid until the next call.
type line struct {
	b     []byte // without the line end
	off   int64
	next  int64 // where the next line or piece begins
	ended bool  // a line end follows: LF or CRLF
}

func newLines(r io.ReaderAt, size int64) *lines {
	return &lines{r: r, size: size, mem: make([]byte, min(blockSize, size))}
}

// read returns the next line; false at the end of the message.
func (l *lines) read() (line, bool) {
	i := bytes.IndexByte(l.buf, '\n')
	if i < 0 {
		l.fill()
		if len(l.buf) == 0 {
			return line{}, false
		}
		i = bytes.IndexByte(l.buf, '\n')
	}
	ln := line{b: l.buf, off: l.off, ended: i >= 0}
	if ln.ended {
		ln.b = l.buf[:i]
		l.consume(i + 1)
		if i > 0 && ln.b[i-1] == '\r' {
			ln.b = ln.b[:i-1]
		}
	} else {
		n := len(l.buf)
		if n > 1 && l.buf[n-1] == '\r' && l.off+int64(n) < l.size {
			n-- // its LF may come in the next block
		}
		ln.b = l.buf[:n]
		l.consume(n)
	}
	ln.next = l.off
	return ln, true
}

// skip goes, from the beginning of a line, over the whole lines that are in the block;
// with delimiters, up to one that begins with "--". It returns how many they are, and
// where the last one's text ends.
func (l *lines) skip(delimiters bool) (end, n int64) {
	size := 0
	if delimiters {
		if bytes.HasPrefix(l.buf, []byte("--")) {
			return 0, 0
		}
		size = bytes.Index(l.buf, []byte("\n--")) + 1
	}
	if size == 0 {
		size = bytes.LastIndexByte(l.buf, '\n') + 1
	}
	if size == 0 {
		return 0, 0
	}
	skipped := l.buf[:size]
	end = l.off + int64(size) - 1
	if size > 1 && skipped[size-2] == '\r' {
		end--
	}
	l.consume(size)
	return end, int64(bytes.Count(skipped, []byte("\n")))
}

func (l *lines) consume(n int) {
	l.buf = l.buf[n:]
	l.off += int64(n)
}

// fill moves what is left to the block's front and reads on.
func (l *lines) fill() {
	n := copy(l.mem, l.buf)
	want := min(int64(len(l.mem)-n), l.size-l.off-int64(n))
	if want > 0 && l.err == nil {
		var got int
		got, l.err = l.r.ReadAt(l.mem[n:n+int(want)], l.off+int64(n))
		n += got
		if l.err == io.EOF && int64(got) == want {
			l.err = nil
		}
	}
	l.buf = l.mem[:n]
}

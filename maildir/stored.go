package maildir

import (
	"bytes"
	"io"

	"postrider/vfs"
)

// The stored form. A message whose every line ends in CRLF is stored with LF,
// as every Maildir program expects; any other is stored as it came. When read,
// a file is served byte for byte if its base name has the field "R" or if its
// first line ends in CRLF; of any other file each LF becomes CRLF. So the rule
// can be decided from the file alone, and what was written always comes back:
//
//   - LF form is used only if each LF came after a CR (every LF gets its CR
//     back), and the first line, once shortened, does not end in CRLF.
//   - Else the bytes stay, and the name gets "R" unless the first line ends in
//     CRLF.
//
// A line that is longer than firstLineLimit counts as not ending in CRLF.

// firstLineLimit is how far a reader looks for the end of the first line.
const firstLineLimit = 64 << 10

// IsVerbatim reports whether a file with this base name and these first bytes
// (firstLineLimit of them, or all there are) is served byte for byte.
func IsVerbatim(base string, first []byte) bool {
	return hasVerbatimField(base) || firstLineCRLF(first)
}

func firstLineCRLF(b []byte) bool {
	if len(b) > firstLineLimit {
		b = b[:firstLineLimit]
	}
	i := bytes.IndexByte(b, '\n')
	return i > 0 && b[i-1] == '\r'
}

// storer writes a message in its stored form.
type storer struct {
	file  vfs.File
	first firstLine
	buf   []byte // stored octets not yet written
	off   int64  // octets written
	in    int64  // octets given
	held  bool   // the last octet given is a CR that is not stored yet
	asIs  bool   // octets are stored as given
	done  bool
}

const storeBuffer = 32 << 10

// firstLine finds out how the first line of a message ends.
type firstLine struct {
	done   bool
	crlf   bool // it ends in CRLF, within the limit
	double bool // it ends in CR CRLF
	n      int64
	tail   [2]byte // the last two octets before
}

func (l *firstLine) scan(p []byte) {
	if l.done {
		return
	}
	if i := bytes.IndexByte(p, '\n'); i >= 0 {
		p, l.done = p[:i], true
	}
	l.n += int64(len(p))
	for _, c := range p[max(0, len(p)-2):] {
		l.tail = [2]byte{l.tail[1], c}
	}
	cr := l.tail[1] == '\r'
	l.crlf = l.done && cr && l.n < firstLineLimit
	l.double = l.done && cr && l.tail[0] == '\r'
}

// Write takes the next octets.
func (s *storer) Write(p []byte) (int, error) {
	n := len(p)
	s.first.scan(p)
	for len(p) > 0 && !s.asIs {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			s.in += int64(len(p))
			return n, s.addText(p)
		}
		afterCR := i > 0 && p[i-1] == '\r' || i == 0 && s.held
		if !afterCR || s.first.double {
			if err := s.switchToAsIs(); err != nil {
				return 0, err
			}
			break
		}
		if err := s.addText(p[:i]); err != nil {
			return 0, err
		}
		s.held = false // the CR before this LF
		if err := s.put(p[i : i+1]); err != nil {
			return 0, err
		}
		s.in += int64(i) + 1
		p = p[i+1:]
	}
	s.in += int64(len(p))
	return n, s.put(p)
}

// addText stores octets without LF, holding back a CR at their end.
func (s *storer) addText(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if s.held {
		if err := s.put([]byte{'\r'}); err != nil {
			return err
		}
	}
	s.held = p[len(p)-1] == '\r'
	if s.held {
		p = p[:len(p)-1]
	}
	return s.put(p)
}

func (s *storer) put(p []byte) error {
	if s.buf == nil && len(p) > 0 {
		s.buf = make([]byte, 0, storeBuffer)
	}
	for len(p) > 0 {
		n := copy(s.buf[len(s.buf):cap(s.buf)], p)
		s.buf = s.buf[:len(s.buf)+n]
		p = p[n:]
		if len(s.buf) == cap(s.buf) {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *storer) flush() error {
	n, err := s.file.WriteAt(s.buf, s.off)
	s.off += int64(n)
	s.buf = s.buf[:0]
	return err
}

// switchToAsIs gives each LF that was written its CR back, from the end of the
// file to its beginning; what follows is stored as given.
func (s *storer) switchToAsIs() error {
	if err := s.flush(); err != nil {
		return err
	}
	end := s.in
	if s.held {
		end--
	}
	block := make([]byte, storeBuffer)
	var out []byte
	to := end
	for from := s.off; from > 0; {
		n := min(from, int64(len(block)))
		from -= n
		if _, err := s.file.ReadAt(block[:n], from); err != nil && err != io.EOF {
			return err
		}
		out = appendCRLF(out[:0], block[:n])
		to -= int64(len(out))
		if _, err := s.file.WriteAt(out, to); err != nil {
			return err
		}
	}
	s.off, s.asIs = end, true
	if s.held {
		s.held = false
		return s.put([]byte{'\r'})
	}
	return nil
}

// finish writes what is held back. Nothing may be written after it.
func (s *storer) finish() error {
	if s.done {
		return nil
	}
	s.done = true
	if s.held {
		s.held = false
		if err := s.put([]byte{'\r'}); err != nil {
			return err
		}
	}
	err := s.flush()
	s.buf = nil
	return err
}

// sizes returns the octets stored and served.
func (s *storer) sizes() (disk, crlf int64) {
	disk = s.off + int64(len(s.buf))
	if s.held {
		disk++
	}
	return disk, s.in
}

// needsField reports whether only the name can say that the file is verbatim.
func (s *storer) needsField() bool { return s.asIs && !s.first.crlf }

// appendCRLF appends src to dst, each LF as CRLF.
func appendCRLF(dst, src []byte) []byte {
	for {
		i := bytes.IndexByte(src, '\n')
		if i < 0 {
			return append(dst, src...)
		}
		dst = append(dst, src[:i]...)
		dst = append(dst, '\r', '\n')
		src = src[i+1:]
	}
}

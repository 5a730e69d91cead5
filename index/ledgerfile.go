package index

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"postrider/mail"
	"postrider/vfs"
)

// The account's file is a header and frames. Every frame has the same form: the
// highest UIDVALIDITY, and mailboxes with all that is known of them, or with nothing,
// which forgets them. The first frames are the whole state, each later one a change,
// so that a change costs what it changes in an account of 100,000 mailboxes as well.
// Where the changes outgrow the state, the file is written anew.
//
// The header has a random number, by which a reader sees whether the file is the one
// that it has read before and only the tail is news.

const (
	ledgerName    = "account"
	ledgerVersion = 2
	ledgerHeadLen = 20
	ledgerSlack   = 64 << 10 // what changes may take at least
	ledgerFrame   = 1000     // mailboxes in a frame of the whole state
)

var (
	ledgerMagic = [8]byte{'P', 'R', 'A', 'C', 'C', 'T', '\r', '\n'}
	ledgerStart = [12]byte{'P', 'R', 'A', 'C', 'C', 'T', '\r', '\n', ledgerVersion} // magic word and version
)

// ledgerFile is what this process has read of the file.
type ledgerFile struct {
	state   ledgerState
	nonce   [8]byte
	pos     int64 // all before is in state; 0: nothing was read
	live    int64 // octets of the state in a new file, roughly
	torn    bool  // what follows pos is no whole frame: a crash while appending
	damaged bool  // what cannot be read was whole once, or is no file of this kind
}

// read brings what is in memory up to the file and returns it. What is damaged counts
// as not there: time keeps the highest UIDVALIDITY growing.
func (l *Ledger) read() (*ledgerState, error) {
	if err := l.followDir(); err != nil {
		return &ledgerState{}, err
	}
	f, err := l.dir.Open(ledgerName)
	if errors.Is(err, os.ErrNotExist) {
		l.file = ledgerFile{}
		return l.file.begin(), nil
	}
	if err != nil {
		return &ledgerState{}, fmt.Errorf("opening the account's file: %w", err)
	}
	defer f.Close()
	if err := l.file.read(f); err != nil {
		l.file = ledgerFile{}
		return &ledgerState{}, err
	}
	return &l.file.state, nil
}

func (l *Ledger) followDir() error {
	if l.follow == nil {
		return nil
	}
	dir, err := l.follow()
	if err != nil {
		return fmt.Errorf("opening the account's directory: %w", err)
	}
	l.dir = dir
	return nil
}

func (a *ledgerFile) begin() *ledgerState {
	a.state.mailboxes = map[mail.Name]ledgerMailbox{}
	return &a.state
}

func (a *ledgerFile) read(f vfs.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("looking at the account's file: %w", err)
	}
	head := make([]byte, ledgerHeadLen)
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the account's file: %w", err)
	}
	same := a.pos > 0 && !a.damaged && [12]byte(head) == ledgerStart && [8]byte(head[12:]) == a.nonce && info.Size >= a.pos
	if !same {
		if err := a.restart(head); err != nil || a.damaged {
			return err
		}
	}
	return a.readFrames(f, info.Size, !same)
}

// restart begins with a file that was not read before.
func (a *ledgerFile) restart(head []byte) error {
	*a = ledgerFile{}
	a.begin()
	if [8]byte(head) != ledgerMagic {
		a.damaged = true
		return nil
	}
	switch v := binary.LittleEndian.Uint32(head[8:]); v {
	case 0: // cut off
		a.damaged = true
	case ledgerVersion:
		a.pos, a.nonce = ledgerHeadLen, [8]byte(head[12:])
	default:
		kind := ErrNewer
		if v < ledgerVersion {
			kind = ErrOlder
		}
		return &FormatError{ledgerName, 8, fmt.Sprintf("format version %d", v), kind}
	}
	return nil
}

func (a *ledgerFile) readFrames(f vfs.File, size int64, whole bool) error {
	first := a.torn
	a.torn = false
	r := &frameReader{r: f, pos: a.pos, end: size}
	for {
		payload, torn, err := r.next()
		if errors.Is(err, io.EOF) && torn {
			next := nextFrame(f, r.pos, size)
			if a.damaged = a.damaged || next > 0 || r.pos <= ledgerHeadLen; next > 0 {
				r.pos = next
				continue
			}
		}
		if errors.Is(err, io.EOF) {
			a.torn = torn || first
			break
		}
		if err != nil {
			return fmt.Errorf("reading the account's file: %w", err)
		}
		if !a.state.decode(payload) {
			a.damaged = true
			break
		}
		a.pos = r.pos
	}
	if whole {
		a.live = a.state.size()
	}
	return nil
}

// nextFrame looks for a whole frame behind damage; 0 if there is none, as behind what
// a crash left of the last.
func nextFrame(f io.ReaderAt, bad, end int64) int64 {
	buf := make([]byte, max(0, min(resumeWindow, end-bad)))
	n, _ := f.ReadAt(buf, bad)
	buf = buf[:n]
	for i := 1; i+frameHead < len(buf); i++ {
		size := int64(binary.LittleEndian.Uint32(buf[i:]))
		if size >= 1 && size <= int64(len(buf)-i-frameHead) && castagnoli(buf[i+frameHead:][:size]) == binary.LittleEndian.Uint32(buf[i+4:]) {
			return bad + int64(i)
		}
	}
	return 0
}

// decode applies a frame; false if it has another form.
func (s *ledgerState) decode(payload []byte) bool {
	r := &reader{b: payload}
	s.validity = mail.UIDValidity(r.uint32())
	for len(r.b) > 0 && !r.bad {
		name := mail.Name(r.bytes(r.uvarint()))
		body := &reader{b: r.bytes(r.uvarint())}
		if len(body.b) == 0 && !r.bad {
			delete(s.mailboxes, name)
			continue
		}
		m := ledgerMailbox{marks: Marks{UIDNext: mail.UID(body.uint32()), ModSeq: mail.ModSeq(body.uvarint())}}
		if uses := string(body.bytes(body.uvarint())); uses != "" {
			m.uses = strings.Split(uses, " ")
		}
		copy(m.id[:], body.bytes(uint64(len(m.id))))
		m.marks.UIDValidity = mail.UIDValidity(body.uint32())
		m.rest = string(body.rest())
		if r.bad = r.bad || body.bad; !r.bad {
			s.mailboxes[name] = m
		}
	}
	return !r.bad
}

// encode appends a frame's payload with these mailboxes.
func (s *ledgerState) encode(dst []byte, names []mail.Name) []byte {
	text := func(dst []byte, t string) []byte {
		return append(binary.AppendUvarint(dst, uint64(len(t))), t...)
	}
	dst = binary.AppendUvarint(dst, uint64(s.validity))
	for _, n := range names {
		m, known := s.mailboxes[n]
		if dst = text(dst, string(n)); !known {
			dst = text(dst, "")
			continue
		}
		body := binary.AppendUvarint(nil, uint64(m.marks.UIDNext))
		body = binary.AppendUvarint(body, uint64(m.marks.ModSeq))
		body = text(body, strings.Join(m.uses, " "))
		body = append(body, m.id[:]...)
		body = append(binary.AppendUvarint(body, uint64(m.marks.UIDValidity)), m.rest...)
		dst = text(dst, string(body))
	}
	return dst
}

// size is roughly what the state takes in a file.
func (s *ledgerState) size() int64 {
	n := int64(ledgerHeadLen)
	for name, m := range s.mailboxes {
		n += int64(len(name)+len(m.rest)) + 40
		for _, u := range m.uses {
			n += int64(len(u)) + 1
		}
	}
	return n
}

// store writes down what changed, under the lock.
func (l *Ledger) store(s *ledgerState, touched []mail.Name) error {
	a := &l.file
	if a.damaged { // kept, for whoever wants to look
		aside := fmt.Sprintf("%s.damaged.%d", ledgerName, l.now().UnixNano())
		if err := l.dir.RenameNoReplace(ledgerName, l.dir, aside); err != nil {
			return fmt.Errorf("putting the damaged one aside: %w", err)
		}
	}
	if l.suspect || a.pos == 0 || a.damaged || a.torn || a.pos > ledgerSlack+4*a.live {
		return l.rewrite(s)
	}
	frame := appendFrame(nil, func(dst []byte) []byte { return s.encode(dst, touched) })
	f, err := l.dir.OpenFile(ledgerName, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(frame, a.pos); err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.Truncate(a.pos)
		f.Close()
		return err
	}
	a.pos += int64(len(frame))
	return f.Close()
}

// rewrite puts a new file in place.
func (l *Ledger) rewrite(s *ledgerState) error {
	const tmp = ledgerName + ".new"
	a := ledgerFile{state: *s}
	rand.Read(a.nonce[:])
	b := append(slices.Clone(ledgerStart[:]), a.nonce[:]...)
	names := make([]mail.Name, 0, len(s.mailboxes))
	for n := range s.mailboxes {
		names = append(names, n)
	}
	slices.Sort(names)
	b = appendFrame(b, func(dst []byte) []byte { return s.encode(dst, nil) })
	for part := range slices.Chunk(names, ledgerFrame) {
		b = appendFrame(b, func(dst []byte) []byte { return s.encode(dst, part) })
	}
	a.pos, a.live = int64(len(b)), int64(len(b))
	if err := l.replace(tmp, b); err != nil {
		return err
	}
	l.file, l.suspect = a, false
	return nil
}

func (l *Ledger) replace(tmp string, b []byte) error {
	f, err := l.dir.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = l.dir.Rename(tmp, l.dir, ledgerName)
	}
	if err != nil {
		l.dir.Remove(tmp)
		return err
	}
	return l.dir.Sync()
}

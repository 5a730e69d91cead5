package maildir

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"postrider/mail"
	"postrider/vfs"
)

// Dovecot keeps a folder's UIDs in dovecot-uidlist:
//
//	3 V<uidvalidity> N<uidnext> G<guid>
//	<uid> [<letter><value> ...] :<file name>
//	...
//
// and did so, up to version 1.0, in the form that Courier uses:
//
//	1 <uidvalidity> <uidnext>
//	<uid> <file name>
//	...
//
// Messages that come are added at the end, and N stays as it was when the file was
// last written whole: UIDs above it are the rule. Lines of messages that are gone
// stay as long. File names have their flags or have them not.
const (
	uidlistFile         = "dovecot-uidlist"
	dovecotKeywordsFile = "dovecot-keywords"
	uidvalidityFile     = "dovecot-uidvalidity"
)

// Bounds of what is read of Dovecot's files.
const (
	maxUIDListSize     = 1 << 30
	maxUIDListMessages = 8 << 20
	maxUIDListLine     = 4 << 10 // a file name and the fields before it
	maxKeywordsSize    = 1 << 20
)

// ErrDovecot says that one of Dovecot's files is there and cannot be understood.
var ErrDovecot = errors.New("the file cannot be understood")

// UIDList is what a dovecot-uidlist says.
type UIDList struct {
	Version    int // 1 or 3
	Validity   mail.UIDValidity
	Next       mail.UID            // above every UID
	UIDs       map[string]mail.UID // by base name
	Damaged    int                 // lines that could not be read, and were left out
	Duplicates int                 // lines that said again what one before said otherwise
}

// ReadUIDList reads the dovecot-uidlist in a directory. The error satisfies
// errors.Is with fs.ErrNotExist if there is none, and with ErrDovecot if its first
// line is not as it should be or it is beyond all bounds. Of lines that contradict
// each other the first counts.
func ReadUIDList(dir vfs.Dir) (*UIDList, error) {
	file, err := dir.Open(uidlistFile)
	if err != nil {
		return nil, fmt.Errorf("read Dovecot's UIDs: %w", err)
	}
	defer file.Close()
	bounded := &io.LimitedReader{R: file, N: maxUIDListSize}
	l, err := parseUIDList(bounded)
	if err == nil && bounded.N == 0 {
		err = fmt.Errorf("%w: it has %d bytes or more", ErrDovecot, maxUIDListSize)
	}
	if err != nil {
		return nil, fmt.Errorf("read Dovecot's UIDs: %s/%s: %w", dir.Path(), uidlistFile, err)
	}
	return l, nil
}

// parseUIDList reads the file's text.
func parseUIDList(r io.Reader) (*UIDList, error) {
	in := bufio.NewReaderSize(r, maxUIDListLine)
	head, _, err := boundedLine(in)
	if err != nil && err != io.EOF {
		return nil, err
	}
	l := &UIDList{UIDs: map[string]mail.UID{}}
	if !l.parseHead(head) {
		return nil, fmt.Errorf("%w: its first line is %.60q", ErrDovecot, head)
	}
	given := map[mail.UID]struct{}{}
	for err == nil {
		var line string
		var long bool
		if line, long, err = boundedLine(in); line == "" && !long {
			continue // the end, or nothing
		}
		if len(l.UIDs) == maxUIDListMessages {
			return nil, fmt.Errorf("%w: more than %d messages", ErrDovecot, maxUIDListMessages)
		}
		l.add(line, given)
	}
	if err != io.EOF {
		return nil, err
	}
	return l, nil
}

// boundedLine reads the next line without its end; one that is too long comes out
// empty. io.EOF comes with the last line.
func boundedLine(in *bufio.Reader) (line string, long bool, err error) {
	b, err := in.ReadSlice('\n')
	for err == bufio.ErrBufferFull {
		long = true
		_, err = in.ReadSlice('\n')
	}
	if long {
		return "", true, err
	}
	return strings.TrimSuffix(string(b), "\n"), false, err
}

// parseHead reads the first line. A value of 0 is as good as none.
func (l *UIDList) parseHead(line string) bool {
	words := strings.Fields(line)
	if len(words) == 0 {
		return false
	}
	var validity, next uint64
	switch words[0] {
	case "1":
		if len(words) < 3 {
			return false
		}
		validity, next = number32(words[1]), number32(words[2])
	case "3":
		for _, w := range words[1:] {
			switch w[0] {
			case 'V':
				validity = number32(w[1:])
			case 'N':
				next = number32(w[1:])
			}
		}
	default:
		return false
	}
	l.Version = int(words[0][0] - '0')
	l.Validity, l.Next = mail.UIDValidity(validity), mail.UID(max(next, 1))
	return validity != 0
}

// number32 is a number of 32 bits, 0 if it is none.
func number32(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return n
}

// add takes in one line. given has the UIDs of the lines before.
func (l *UIDList) add(line string, given map[mail.UID]struct{}) {
	uid, name, ok := l.parseLine(line)
	if !ok {
		l.Damaged++
		return
	}
	l.Next = max(l.Next, uid+1)
	base := ParseFileName(name).Base
	_, again := l.UIDs[base]
	if _, taken := given[uid]; again || taken {
		l.Duplicates++
		return
	}
	given[uid] = struct{}{}
	l.UIDs[strings.Clone(base)] = uid
}

// parseLine takes a line apart. The highest number is no UID, since UIDNEXT must be
// above it.
func (l *UIDList) parseLine(line string) (mail.UID, string, bool) {
	number, rest, ok := strings.Cut(line, " ")
	uid := number32(number)
	if !ok || uid == 0 || uid == 1<<32-1 {
		return 0, "", false
	}
	if l.Version > 1 {
		for !strings.HasPrefix(rest, ":") {
			if _, rest, ok = strings.Cut(rest, " "); !ok {
				return 0, "", false
			}
		}
		rest = rest[1:]
	}
	name := rest
	if name == "" || name[0] == '.' || len(name) > maxFileName || strings.ContainsAny(name, "/\x00") {
		return 0, "", false
	}
	return mail.UID(uid), name, true
}

// DovecotLetters is how many keywords Dovecot keeps in file names, as the letters
// a to z. It has further ones in its binary index alone.
const DovecotLetters = 26

// DovecotKeywords is what a dovecot-keywords says: the keyword that a letter in
// file names stands for, a first; "" for none.
type DovecotKeywords struct {
	Names   [DovecotLetters]string
	Beyond  []string // keywords with higher numbers, which no file name shows
	Damaged int      // lines that could not be read, and were left out
}

// ReadDovecotKeywords reads the dovecot-keywords in a directory; fs.ErrNotExist if
// there is none.
func ReadDovecotKeywords(dir vfs.Dir) (DovecotKeywords, error) {
	text, err := readSmall(dir, dovecotKeywordsFile, maxKeywordsSize)
	if err != nil {
		return DovecotKeywords{}, fmt.Errorf("read Dovecot's keywords: %w", err)
	}
	return parseDovecotKeywords(text), nil
}

// parseDovecotKeywords reads lines "<number> <keyword>".
func parseDovecotKeywords(text string) (k DovecotKeywords) {
	for line := range strings.Lines(text) {
		number, name, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		i, err := strconv.ParseUint(number, 10, 32)
		switch {
		case err != nil || !mail.ValidKeyword(name):
			k.Damaged++
		case i >= DovecotLetters:
			k.Beyond = append(k.Beyond, name)
		case k.Names[i] == "":
			k.Names[i] = name
		default:
			k.Damaged++
		}
	}
	return k
}

// Full reports whether every letter has a keyword, or there are more: then messages may
// have keywords of which no file tells.
func (k *DovecotKeywords) Full() bool {
	if len(k.Beyond) > 0 {
		return true
	}
	for _, name := range k.Names {
		if name == "" {
			return false
		}
	}
	return true
}

// Of returns the keywords that a message's file name shows.
func (k *DovecotKeywords) Of(name string) []string {
	var words []string
	for _, letter := range ParseFileName(name).Other {
		if 'a' <= letter && letter <= 'z' && k.Names[letter-'a'] != "" {
			words = append(words, k.Names[letter-'a'])
		}
	}
	return words
}

// ReadDovecotValidity returns the highest UIDVALIDITY that Dovecot gave to a folder
// of the account in root, as dovecot-uidvalidity says; 0 if nothing says so.
func ReadDovecotValidity(root vfs.Dir) (mail.UIDValidity, error) {
	text, err := readSmall(root, uidvalidityFile, 64)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read Dovecot's last UIDVALIDITY: %w", err)
	}
	v, err := strconv.ParseUint(strings.TrimSpace(text), 16, 32)
	if err != nil {
		return 0, fmt.Errorf("read Dovecot's last UIDVALIDITY: %w: it says %.20q", ErrDovecot, text)
	}
	return mail.UIDValidity(v), nil
}

// DovecotWasHere reports whether a directory has an index of Dovecot's. It has one
// beside each dovecot-uidlist that is not kept elsewhere.
func DovecotWasHere(dir vfs.Dir) bool {
	for _, name := range []string{"dovecot.index", "dovecot.index.log"} {
		if _, err := dir.Stat(name); err == nil {
			return true
		}
	}
	return false
}

// readSmall reads a file of at most limit bytes whole.
func readSmall(dir vfs.Dir, name string, limit int64) (string, error) {
	f, err := dir.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = syscall.EFBIG
	}
	return string(b), err
}

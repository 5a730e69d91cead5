package maildir

import (
	"slices"
	"strconv"
	"strings"

	"postrider/mail"
)

// FileName is a message's file name taken apart: "base:2,FLAGS".
type FileName struct {
	Base    string     // what identifies the message: up to the last ":"
	HasInfo bool       // there is a ":" after the base
	Flags   mail.Flags // the letters D F R S T
	Other   string     // other letters (P, Dovecot's a to z), in order of appearance
	Tail    string     // from a "," after the letters on, verbatim
	Info    string     // info that does not begin with "2,", verbatim: no flags
}

// maxFileName is how long a file name may be on every file system that matters.
const maxFileName = 255

const infoTwo = "2,"

// letters pairs each flag with its letter, in the order of ASCII.
var letters = [...]struct {
	letter byte
	flag   mail.Flags
}{
	{'D', mail.Draft}, {'F', mail.Flagged}, {'R', mail.Answered}, {'S', mail.Seen}, {'T', mail.Deleted},
}

// ParseFileName takes any string apart. Like Courier it looks for the last
// ":"; a name that begins with its only ":" is all base.
func ParseFileName(s string) FileName {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 {
		return FileName{Base: s}
	}
	n := FileName{Base: s[:i], HasInfo: true}
	rest, two := strings.CutPrefix(s[i+1:], infoTwo)
	if !two {
		n.Info = s[i+1:]
		return n
	}
	if j := strings.IndexByte(rest, ','); j >= 0 {
		rest, n.Tail = rest[:j], rest[j:]
	}
	n.Flags, n.Other = parseLetters(rest)
	return n
}

func parseLetters(s string) (f mail.Flags, other string) {
	for i := range len(s) {
		if g := flagOf(s[i]); g != 0 {
			f |= g
		} else {
			other += s[i : i+1]
		}
	}
	return f, other
}

func flagOf(c byte) mail.Flags {
	for _, l := range letters {
		if l.letter == c {
			return l.flag
		}
	}
	return 0
}

// String is the name as a file name, its letters in the order of ASCII, as the
// format asks for. A name that ended in ":" ends in ":2,".
func (n FileName) String() string {
	if !n.HasInfo {
		return n.Base
	}
	if n.Info != "" {
		return n.Base + ":" + n.Info
	}
	info := []byte(n.Other)
	for _, l := range letters {
		if n.Flags.Has(l.flag) {
			info = append(info, l.letter)
		}
	}
	slices.Sort(info)
	return n.Base + ":" + infoTwo + string(info) + n.Tail
}

// WithFlags returns the name with these flags, all else kept. Info of a kind
// that cannot hold flags is replaced.
func (n FileName) WithFlags(f mail.Flags) FileName {
	n.HasInfo, n.Info, n.Flags = true, "", f
	return n
}

// SizeHints returns the octets that a base name says the file has as stored
// (",S=") and as served with CRLF (",W="); -1 where it does not say.
func SizeHints(base string) (s, w int64) {
	s, w = -1, -1
	for field := range fields(base) {
		if v, ok := strings.CutPrefix(field, "S="); ok {
			s = hint(v)
		} else if v, ok := strings.CutPrefix(field, "W="); ok {
			w = hint(v)
		}
	}
	return s, w
}

// fields yields the comma-separated fields after the unique part of a base.
func fields(base string) func(yield func(string) bool) {
	_, rest, ok := strings.Cut(base, ",")
	if !ok {
		return func(func(string) bool) {}
	}
	return strings.SplitSeq(rest, ",")
}

// hint reads a number of at most 15 digits: what no file exceeds.
func hint(s string) int64 {
	if s == "" || len(s) > 15 {
		return -1
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return -1
	}
	return int64(n)
}

// verbatimField in a base name says that the file is served byte for byte.
const verbatimField = "R"

func hasVerbatimField(base string) bool {
	for field := range fields(base) {
		if field == verbatimField {
			return true
		}
	}
	return false
}

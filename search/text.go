package search

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"postrider/message"
)

// opened is a message that is open and parsed.
type opened struct {
	text Text
	m    *message.Message
}

// contains looks in every text of the message, and in the headers of its parts;
// with header in its own header, too.
func (o *opened) contains(n *needle, header bool) (bool, error) {
	if header {
		if found, err := o.inHeader(o.m.Root, n); found || err != nil {
			return found, err
		}
	}
	return o.inBody(o.m.Root, n)
}

func (o *opened) inBody(p *message.Part, n *needle) (bool, error) {
	if p.IsText() || isReport(p) {
		return n.inReader(message.DecodeText(p, o.text))
	}
	children := p.Parts
	if p.Inner != nil {
		children = []*message.Part{p.Inner}
	}
	for _, c := range children {
		if found, err := o.inHeader(c, n); found || err != nil {
			return found, err
		}
		if found, err := o.inBody(c, n); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// isReport reports whether a part that is no text reads as one: a delivery status or
// another kind of message that is not taken apart.
func isReport(p *message.Part) bool {
	return strings.EqualFold(p.Type, "message") && p.Inner == nil && p.Parts == nil
}

const maxHeader = 1 << 20 // octets of one header that are searched

func (o *opened) inHeader(p *message.Part, n *needle) (bool, error) {
	b := make([]byte, min(p.Header().Len(), maxHeader))
	if _, err := o.text.ReadAt(b, p.Start); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	for f := range message.Fields(b) {
		if n.in(message.DecodeHeader(string(f.Name) + ": " + message.Unfold(f.Value))) {
			return true, nil
		}
	}
	return false, nil
}

// needle is a text to look for, folded. Texts are compared without regard to case
// and compatibility forms, after the collation i;unicode-casemap (RFC 5051), and
// with every run of blanks and line ends as one blank, since a text may be broken
// anywhere.
type needle struct{ folded []byte }

func newNeedle(s string) *needle {
	var f folder
	return &needle{f.fold(nil, []byte(s))}
}

func (n *needle) empty() bool { return len(n.folded) == 0 }

// in reports whether s holds the text; every s holds an empty one.
func (n *needle) in(s string) bool {
	var f folder
	return bytes.Contains(f.fold(nil, []byte(s)), n.folded)
}

// inReader reports whether the text is in what r reads.
func (n *needle) inReader(r io.Reader) (bool, error) {
	var (
		f     folder
		raw   = make([]byte, 0, 16<<10)
		hay   []byte
		atEnd bool
	)
	for !atEnd {
		k, err := r.Read(raw[len(raw):cap(raw)])
		raw = raw[:len(raw)+k]
		atEnd = errors.Is(err, io.EOF)
		if err != nil && !atEnd {
			return false, err
		}
		whole := len(raw)
		if !atEnd {
			whole = wholeCharacters(raw)
		}
		hay = f.fold(hay, raw[:whole])
		raw = raw[:copy(raw, raw[whole:])]
		if bytes.Contains(hay, n.folded) {
			return true, nil
		}
		if keep := len(n.folded) - 1; len(hay) > keep {
			hay = hay[:copy(hay, hay[len(hay)-keep:])]
		}
	}
	return false, nil
}

// maxCharacter bounds a character with its marks.
const maxCharacter = 1 << 10

// wholeCharacters is the length of b without what more of the text may change: a
// character that is cut, or to which marks may be added.
func wholeCharacters(b []byte) int {
	n := norm.NFKD.LastBoundary(b)
	switch {
	case n > 0:
		return n
	case len(b) < maxCharacter:
		return 0
	}
	for n = len(b); n > len(b)-utf8.UTFMax && !utf8.RuneStart(b[n-1]); {
		n--
	}
	if !utf8.FullRune(b[n-1:]) {
		return n - 1
	}
	return len(b)
}

// folder folds a text piece by piece. It remembers whether the last piece ended
// with a blank.
type folder struct{ blank bool }

func (f *folder) fold(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c >= '\t' && c <= '\r':
			if !f.blank {
				dst = append(dst, ' ')
			}
			f.blank = true
			i++
			continue
		case c < utf8.RuneSelf:
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			i++
		default:
			n := 1
			for i+n < len(s) && s[i+n] >= utf8.RuneSelf {
				n++
			}
			dst = foldWide(dst, s[i:i+n])
			i += n
		}
		f.blank = false
	}
	return dst
}

// foldWide folds a run of characters outside ASCII: decomposed, and in small
// letters.
func foldWide(dst, s []byte) []byte {
	for _, r := range string(norm.NFKD.Bytes(s)) {
		dst = utf8.AppendRune(dst, unicode.ToLower(unicode.ToUpper(r)))
	}
	return dst
}

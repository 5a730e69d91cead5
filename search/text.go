package search

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"postrider/message"
)

// opened is a message that is open and parsed, and what is known of the keys that look
// into it. All keys are looked for at once, since to decode the message is most of the work.
type opened struct {
	text  Text
	m     *message.Message
	keys  []*inText
	found []bool // by inText.at
	begun bool   // one pass was made, perhaps not to the end
	ended bool   // what was not found is not there
}

// contains looks in every text of the message, and in the headers of its parts; for a
// key with header in its own header, too. The first pass ends where the key is found,
// since often no other is asked for; the second goes on until all are found.
func (o *opened) contains(key *inText) (bool, error) {
	if o.found[key.at] || o.ended {
		return o.found[key.at], nil
	}
	p := &pass{opened: o}
	if !o.begun {
		p.asked = key
	}
	for _, k := range o.keys {
		if !o.found[k.at] {
			p.open = append(p.open, k)
		}
	}
	o.begun = true
	err := p.header(o.m.Root, true)
	if err == nil {
		err = p.body(o.m.Root)
	}
	o.ended = err == nil && !p.over()
	return o.found[key.at], err
}

// pass is one way through a message.
type pass struct {
	*opened
	open  []*inText // not found yet
	asked *inText   // where this is found the pass is over; nil: go on
}

func (p *pass) over() bool { return len(p.open) == 0 || p.asked != nil && p.found[p.asked.at] }

// take looks for the keys in a folded text; in the message's own header only for those
// that look there.
func (p *pass) take(hay []byte, own bool) {
	p.open = slices.DeleteFunc(p.open, func(k *inText) bool {
		if (!own || k.header) && bytes.Contains(hay, k.text.folded) {
			p.found[k.at] = true
		}
		return p.found[k.at]
	})
}

// longest is the length of the longest text that is looked for.
func (p *pass) longest() (n int) {
	for _, k := range p.open {
		n = max(n, len(k.text.folded))
	}
	return n
}

func (p *pass) body(part *message.Part) error {
	if part.IsText() || isReport(part) {
		return p.reader(message.DecodeText(part, p.text))
	}
	children := part.Parts
	if part.Inner != nil {
		children = []*message.Part{part.Inner}
	}
	for _, c := range children {
		if p.over() {
			break
		}
		if err := p.header(c, false); err != nil {
			return err
		}
		if p.over() {
			break
		}
		if err := p.body(c); err != nil {
			return err
		}
	}
	return nil
}

// isReport reports whether a part that is no text reads as one: a delivery status or
// another kind of message that is not taken apart.
func isReport(p *message.Part) bool {
	return strings.EqualFold(p.Type, "message") && p.Inner == nil && p.Parts == nil
}

const maxHeader = 1 << 20 // octets of one header that are searched

func (p *pass) header(part *message.Part, own bool) error {
	b := make([]byte, min(part.Header().Len(), maxHeader))
	if _, err := p.text.ReadAt(b, part.Start); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	var hay []byte
	for f := range message.Fields(b) {
		var fold folder
		hay = fold.fold(hay[:0], []byte(message.DecodeHeader(string(f.Name)+": "+message.Unfold(f.Value))))
		if p.take(hay, own); p.over() {
			break
		}
	}
	return nil
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

// reader looks for the keys in what r reads.
func (p *pass) reader(r io.Reader) error {
	var (
		f     folder
		raw   = make([]byte, 0, 16<<10)
		hay   []byte
		atEnd bool
	)
	for !atEnd && !p.over() {
		k, err := r.Read(raw[len(raw):cap(raw)])
		raw = raw[:len(raw)+k]
		atEnd = errors.Is(err, io.EOF)
		if err != nil && !atEnd {
			return err
		}
		whole := len(raw)
		if !atEnd {
			whole = wholeCharacters(raw)
		}
		hay = f.fold(hay, raw[:whole])
		raw = raw[:copy(raw, raw[whole:])]
		p.take(hay, false)
		if keep := p.longest() - 1; len(hay) > keep {
			hay = hay[:copy(hay, hay[len(hay)-max(keep, 0):])]
		}
	}
	return nil
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

package message

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"
)

// IsText reports whether a part has text to search or to show.
func (p *Part) IsText() bool { return equalFold(p.Type, "text") && p.Parts == nil && p.Inner == nil }

// DecodeText returns a text part as UTF-8: transfer encoding and charset undone,
// HTML as its text. A charset that is not known is read as if it were UTF-8 or,
// where it is not that, windows-1252, so that the ASCII in it is found.
func DecodeText(p *Part, r io.ReaderAt) io.Reader {
	text := charsetReader(p.Param("charset"), DecodeBody(p, r))
	if equalFold(p.Subtype, "html") {
		return htmlText(text)
	}
	return text
}

func charsetReader(charset string, r io.Reader) io.Reader {
	if equalFold(charset, "utf-7") || equalFold(charset, "unicode-1-1-utf-7") {
		return &wholeText{r: r, decode: decodeUTF7}
	}
	e, err := lookupCharset(charset)
	if e == nil || err != nil {
		return transform.NewReader(r, lenientUTF8{})
	}
	return &forgiving{r: transform.NewReader(r, e.NewDecoder())}
}

// maxWhole bounds a text that has to be decoded in one piece.
const maxWhole = 4 << 20

// wholeText reads all, decodes it, and hands it out.
type wholeText struct {
	r      io.Reader
	decode func(string) string
	text   *strings.Reader
}

func (w *wholeText) Read(p []byte) (int, error) {
	if w.text == nil {
		b, err := io.ReadAll(io.LimitReader(w.r, maxWhole))
		if err != nil {
			return 0, err
		}
		w.text = strings.NewReader(w.decode(string(b)))
	}
	return w.text.Read(p)
}

// forgiving ends where a decoder gives up: what was read until then counts.
type forgiving struct{ r io.Reader }

func (f *forgiving) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// lenientUTF8 passes UTF-8 and reads every other byte as windows-1252.
type lenientUTF8 struct{ transform.NopResetter }

func (lenientUTF8) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		c := src[nSrc]
		if c < utf8.RuneSelf {
			if nDst >= len(dst) {
				return nDst, nSrc, transform.ErrShortDst
			}
			dst[nDst] = c
			nDst++
			nSrc++
			continue
		}
		r, n := utf8.DecodeRune(src[nSrc:])
		if r == utf8.RuneError && n == 1 {
			if !atEOF && !utf8.FullRune(src[nSrc:]) {
				return nDst, nSrc, transform.ErrShortSrc
			}
			r = charmap.Windows1252.DecodeByte(c)
		}
		if nDst+utf8.RuneLen(r) > len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += utf8.EncodeRune(dst[nDst:], r)
		nSrc += n
	}
	return nDst, nSrc, nil
}

// Texts calls f for every part with text, in order, until it returns false.
func (m *Message) Texts(f func(*Part) bool) { m.Root.texts(f) }

func (p *Part) texts(f func(*Part) bool) bool {
	if p.Inner != nil {
		return p.Inner.texts(f)
	}
	for _, c := range p.Parts {
		if !c.texts(f) {
			return false
		}
	}
	return !p.IsText() || f(p)
}

// PreviewLen is the length of a preview in characters (RFC 8970 3.1).
const PreviewLen = 200

// Preview returns the first characters of the first text that says something, with
// runs of blanks as one.
func (m *Message) Preview(r io.ReaderAt) string {
	var out bytes.Buffer
	m.Texts(func(p *Part) bool {
		if equalFold(p.Disposition, "attachment") {
			return true
		}
		text, err := io.ReadAll(io.LimitReader(DecodeText(p, r), 16*PreviewLen))
		if err != nil && len(text) == 0 {
			return true
		}
		for _, w := range bytes.Fields(text) {
			if out.Len() > 0 {
				out.WriteByte(' ')
			}
			out.Write(w)
		}
		return out.Len() == 0
	})
	runes := []rune(strings.ToValidUTF8(out.String(), ""))
	return string(runes[:min(len(runes), PreviewLen)])
}

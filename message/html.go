package message

import (
	"io"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// htmlText returns the text of an HTML document, without scripts and styles, with a
// blank where an element breaks a word.
func htmlText(r io.Reader) io.Reader {
	z := html.NewTokenizer(r)
	z.SetMaxBuf(1 << 20) // of one token
	return &htmlReader{z: z}
}

type htmlReader struct {
	z       *html.Tokenizer
	pending []byte
	skip    atom.Atom // inside an element whose text is not shown
}

func (h *htmlReader) Read(p []byte) (int, error) {
	for len(h.pending) == 0 {
		if !h.next() {
			return 0, io.EOF
		}
	}
	n := copy(p, h.pending)
	h.pending = h.pending[n:]
	return n, nil
}

// next takes one token; false at the end, or where the document cannot be read on.
func (h *htmlReader) next() bool {
	switch h.z.Next() {
	case html.ErrorToken:
		return false
	case html.TextToken:
		if h.skip == 0 {
			h.pending = h.z.Text()
		}
	case html.StartTagToken:
		name, _ := h.z.TagName()
		switch a := atom.Lookup(name); a {
		case atom.Script, atom.Style, atom.Title, atom.Template, atom.Noscript:
			if h.skip == 0 && a != atom.Title && a != atom.Noscript {
				h.skip = a
			}
		default:
			h.separate(a)
		}
	case html.EndTagToken:
		name, _ := h.z.TagName()
		a := atom.Lookup(name)
		if a == h.skip && a != 0 {
			h.skip = 0
		}
		h.separate(a)
	case html.SelfClosingTagToken:
		name, _ := h.z.TagName()
		h.separate(atom.Lookup(name))
	}
	return true
}

// separate puts a blank where an element stands that is not part of a word.
func (h *htmlReader) separate(a atom.Atom) {
	switch a {
	case atom.A, atom.B, atom.I, atom.U, atom.Em, atom.Strong, atom.Span, atom.Font, atom.Small, atom.Big, atom.Sub, atom.Sup, atom.Code, atom.Tt, atom.S, atom.Wbr:
		return
	}
	if h.skip == 0 {
		h.pending = []byte{' '}
	}
}

package message

import (
	"bytes"
	"io"
	"strings"
)

const (
	maxDepth  = 100     // parts within parts
	maxParts  = 10000   // parts of one message
	maxHeader = 1 << 20 // octets of one header that are looked at
)

// Parse reads the structure of a message of size octets. Its only errors are those
// of r; the structure of what could be read comes with them.
func Parse(r io.ReaderAt, size int64) (*Message, error) {
	p := &parser{lines: newLines(r, size)}
	root, _ := p.entity(true, "text", "plain")
	if p.lines.err != nil && p.lines.err != io.EOF {
		return &Message{size, root}, p.lines.err
	}
	return &Message{size, root}, nil
}

type parser struct {
	lines  *lines
	ended  int64    // line ends so far
	bounds []string // of the multiparts that are open, outermost first
	depth  int
	parts  int
	midway bool // the next piece continues a line
	header []byte
	full   bool // no more of this header is kept
}

// mark is a place in the message: its octets and its line ends before it.
type mark struct{ off, lines int64 }

// stop says what ended a part: the end of the message (level -1), or a boundary of
// the open multipart at level.
type stop struct {
	level   int
	closing bool
	end     mark // of the part: before the line end that belongs to the boundary
	lineEnd mark // of the boundary's line, before its line end
}

// entity reads a header and its body up to a boundary of an enclosing multipart.
// def is the Content-Type of a part without one (RFC 2046 5.1.5).
func (p *parser) entity(isMessage bool, defType, defSubtype string) (*Part, stop) {
	p.parts++
	part := &Part{Start: p.lines.off, Type: defType, Subtype: defSubtype}
	s, ended := p.readHeader()
	part.fields(p.header)
	if isMessage {
		part.Envelope = ParseEnvelope(p.header)
	}
	if ended { // a boundary, or the end, inside the header
		part.Body, part.End = max(s.end.off, part.Start), max(s.end.off, part.Start)
		part.emptyInside()
		return part, s
	}
	body := p.here()
	part.Body = body.off
	isMultipart, isInner := equalFold(part.Type, "multipart"), part.isMessage()
	switch {
	case (isMultipart || isInner) && (p.depth >= maxDepth-1 || p.parts >= maxParts):
		part.Type, part.Subtype = "application", "octet-stream"
		s = p.leaf(body)
	case isMultipart:
		s = p.multipart(part, part.Param("boundary"))
	case isInner:
		p.depth++
		part.Inner, s = p.entity(true, "text", "plain")
		p.depth--
	default:
		s = p.leaf(body)
	}
	part.End = max(s.end.off, part.Body)
	part.Lines = max(s.end.lines-body.lines, 0)
	part.emptyInside()
	return part, s
}

// here is the place behind what was read.
func (p *parser) here() mark { return mark{p.lines.off, p.ended} }

// next reads a line, or a piece of one. start says that a line begins with it, at
// the place before its line end.
func (p *parser) next() (ln line, at mark, start, ok bool) {
	ln, ok = p.lines.read()
	at = mark{ln.off + int64(len(ln.b)), p.ended}
	start, p.midway = !p.midway, ok && !ln.ended
	if ln.ended {
		p.ended++
	}
	return ln, at, start, ok
}

// readHeader reads up to the blank line. ended says that the part ended before it.
func (p *parser) readHeader() (s stop, ended bool) {
	p.header, p.full = p.header[:0], false
	for {
		end := p.here()
		ln, at, start, ok := p.next()
		if !ok {
			return stop{level: -1, end: p.here()}, true
		}
		if start {
			if s, found := p.boundary(ln, at); found {
				s.end = end
				return s, true
			}
			if len(ln.b) == 0 && ln.ended {
				return stop{}, false
			}
		}
		p.keep(ln)
	}
}

// keep adds a line to the header that is looked at. It ends at the first line that
// is too much: what follows must not look as if it continued what stands before.
func (p *parser) keep(ln line) {
	if p.full = p.full || len(p.header)+len(ln.b) >= maxHeader; p.full {
		return
	}
	if p.header == nil {
		p.header = make([]byte, 0, min(2<<10, p.lines.size))
	}
	p.header = append(p.header, ln.b...)
	if ln.ended {
		p.header = append(p.header, '\n')
	}
}

// leaf goes through a body without structure. end is where it ends if a boundary
// comes next.
func (p *parser) leaf(end mark) stop {
	for {
		if !p.midway {
			if off, n := p.lines.skip(len(p.bounds) > 0); n > 0 {
				p.ended += n
				end = mark{off, p.ended - 1}
			}
		}
		ln, at, start, ok := p.next()
		if !ok {
			return stop{level: -1, end: p.here()}
		}
		if start {
			if s, found := p.boundary(ln, at); found {
				s.end = end
				return s
			}
		}
		end = at // the line end may be the boundary's
	}
}

// multipart reads the parts of a multipart: preamble, parts, epilogue.
func (p *parser) multipart(part *Part, boundary string) stop {
	if boundary == "" || len(boundary) > 1000 {
		return p.leaf(p.here())
	}
	level := len(p.bounds)
	p.bounds = append(p.bounds, boundary)
	p.depth++
	defType, defSubtype := "text", "plain"
	if equalFold(part.Subtype, "digest") { // RFC 2046 5.1.5
		defType, defSubtype = "message", "rfc822"
	}
	s := p.leaf(p.here()) // the preamble
	for s.level == level && !s.closing && p.parts < maxParts {
		var child *Part
		child, s = p.entity(false, defType, defSubtype)
		part.Parts = append(part.Parts, child)
	}
	p.bounds = p.bounds[:level]
	p.depth--
	if s.level == level { // the epilogue
		s = p.leaf(s.lineEnd)
	}
	return s
}

// emptyInside gives a multipart without parts, and a message/rfc822 that ended
// before its message, one empty text part: a body structure needs one (RFC 3501 9,
// body-type-mpart and body-type-msg).
func (part *Part) emptyInside() {
	switch {
	case equalFold(part.Type, "multipart") && part.Parts == nil:
		part.Parts = []*Part{emptyPart(part.End)}
	case part.isMessage() && part.Inner == nil:
		part.Inner = emptyPart(part.End)
		part.Inner.Envelope = &Envelope{}
	}
}

func emptyPart(at int64) *Part {
	p := &Part{Start: at, Body: at, End: at, Type: "text", Subtype: "plain"}
	p.defaultCharset()
	return p
}

// isMessage reports whether the part has a message inside. A message/global has
// none: RFC 3501 9 gives body-type-msg to message/rfc822 alone, and a client that
// knows only that grammar could not read on.
func (part *Part) isMessage() bool {
	return equalFold(part.Type, "message") && equalFold(part.Subtype, "rfc822")
}

// boundary reports whether the line is a delimiter of an open multipart, and of
// which: the innermost whose delimiter is the whole line, closing or not; else, of
// several that fit, the one with the longest boundary, and then the innermost. What
// follows the boundary on its line does not matter: "it is sufficient that the
// boundary appear in its entirety following the CRLF" (RFC 2046 5.1.1). The line is
// then read to its end.
func (p *parser) boundary(ln line, at mark) (s stop, found bool) {
	if len(p.bounds) == 0 || len(ln.b) < 3 || ln.b[0] != '-' || ln.b[1] != '-' {
		return stop{}, false
	}
	text := ln.b[2:]
	longest := 0
	for i := len(p.bounds) - 1; i >= 0; i-- {
		b := p.bounds[i]
		if len(b) <= longest || len(text) < len(b) || string(text[:len(b)]) != b {
			continue
		}
		rest := string(bytes.TrimRight(text[len(b):], " \t")) // transport-padding
		s.level, s.closing = i, strings.HasPrefix(rest, "--")
		if found, longest = true, len(b); rest == "" || rest == "--" {
			break
		}
	}
	for ok := true; found && ok && p.midway; {
		_, at, _, ok = p.next()
	}
	s.lineEnd = at
	return s, found
}

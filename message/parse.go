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
	bounds []string // of the multiparts that are open, outermost first
	depth  int
	parts  int
	midway bool // the next piece continues a line
	header []byte
}

// stop says what ended a part: the end of the message (level -1), or a boundary of
// the open multipart at level.
type stop struct {
	level   int
	closing bool
	end     int64 // where the part's octets end: before the line end that belongs to the boundary
	lineEnd int64 // where the boundary's line ends, without its line end
}

// entity reads a header and its body up to a boundary of an enclosing multipart.
// def is the Content-Type of a part without one (RFC 2046 5.1.5).
func (p *parser) entity(isMessage bool, defType, defSubtype string) (*Part, stop) {
	p.parts++
	part := &Part{Start: p.lines.off, Type: defType, Subtype: defSubtype}
	s, ended := p.readHeader(part)
	part.fields(p.header)
	if isMessage {
		part.Envelope = ParseEnvelope(p.header)
	}
	if ended { // a boundary, or the end, inside the header
		part.Body, part.End = max(s.end, part.Start), max(s.end, part.Start)
		part.emptyMultipart()
		return part, s
	}
	part.Body = p.lines.off
	switch boundary := part.Param("boundary"); {
	case p.depth >= maxDepth || p.parts >= maxParts:
		s = p.leaf(part, part.Body)
	case equalFold(part.Type, "multipart"):
		s = p.multipart(part, boundary)
	case equalFold(part.Type, "message") && (equalFold(part.Subtype, "rfc822") || equalFold(part.Subtype, "global")):
		p.depth++
		part.Inner, s = p.entity(true, "text", "plain")
		part.Lines = part.Inner.Lines + part.Inner.headerLines
		p.depth--
	default:
		s = p.leaf(part, part.Body)
	}
	part.End = max(s.end, part.Body)
	return part, s
}

// readHeader reads up to the blank line. ended says that the part ended before it.
func (p *parser) readHeader(part *Part) (s stop, ended bool) {
	p.header = p.header[:0]
	lastEnd := p.lines.off
	for {
		ln, ok := p.lines.read()
		if !ok {
			return stop{level: -1, end: p.lines.off}, true
		}
		start := !p.midway
		p.midway = !ln.ended
		if start {
			if level, closing, found := p.boundary(ln); found {
				return stop{level, closing, lastEnd, ln.off + int64(len(ln.b))}, true
			}
		}
		if ln.ended {
			part.headerLines++
		}
		if start && len(ln.b) == 0 && ln.ended {
			return stop{}, false
		}
		lastEnd = ln.next
		if len(p.header)+len(ln.b) < maxHeader {
			p.header = append(p.header, ln.b...)
			if ln.ended {
				p.header = append(p.header, '\n')
			}
		}
	}
}

// leaf goes through a body without structure. end is where it ends if a boundary
// comes next.
func (p *parser) leaf(part *Part, end int64) stop {
	counted := int64(0)
	for {
		ln, ok := p.lines.read()
		if !ok {
			part.Lines = counted
			return stop{level: -1, end: p.lines.off}
		}
		start := !p.midway
		p.midway = !ln.ended
		if start {
			if level, closing, found := p.boundary(ln); found {
				part.Lines = max(counted-1, 0)
				return stop{level, closing, end, ln.off + int64(len(ln.b))}
			}
		}
		end = ln.off + int64(len(ln.b)) // the line end may be the boundary's
		if ln.ended {
			counted++
		}
	}
}

// multipart reads the parts of a multipart: preamble, parts, epilogue.
func (p *parser) multipart(part *Part, boundary string) stop {
	if boundary == "" || len(boundary) > 1000 {
		s := p.leaf(part, part.Body)
		part.emptyMultipart()
		return s
	}
	level := len(p.bounds)
	p.bounds = append(p.bounds, boundary)
	p.depth++
	defType, defSubtype := "text", "plain"
	if equalFold(part.Subtype, "digest") { // RFC 2046 5.1.5
		defType, defSubtype = "message", "rfc822"
	}
	preamble := &Part{}
	s := p.leaf(preamble, part.Body)
	part.Lines = preamble.Lines
	for s.level == level && !s.closing && p.parts < maxParts {
		var child *Part
		child, s = p.entity(false, defType, defSubtype)
		part.Parts = append(part.Parts, child)
	}
	p.bounds = p.bounds[:level]
	p.depth--
	if s.level == level { // the epilogue
		s = p.leaf(&Part{}, s.lineEnd)
	}
	part.emptyMultipart()
	return s
}

// emptyMultipart gives a multipart without parts one empty text part: a body
// structure needs one (RFC 3501 9, body-type-mpart).
func (part *Part) emptyMultipart() {
	if equalFold(part.Type, "multipart") && part.Parts == nil {
		at := max(part.End, part.Body)
		part.Parts = []*Part{{Start: at, Body: at, End: at, Type: "text", Subtype: "plain"}}
	}
}

// boundary reports whether the line is a delimiter of an open multipart, and of
// which: of several that fit, the one with the longest boundary, and then the
// innermost.
//
//	delimiter := "--" boundary transport-padding (RFC 2046 5.1.1)
func (p *parser) boundary(ln line) (level int, closing, found bool) {
	if len(p.bounds) == 0 || len(ln.b) < 3 || ln.b[0] != '-' || ln.b[1] != '-' {
		return 0, false, false
	}
	text := ln.b[2:]
	longest := 0
	for i := len(p.bounds) - 1; i >= 0; i-- {
		b := p.bounds[i]
		if len(b) <= longest || len(text) < len(b) || string(text[:len(b)]) != b {
			continue
		}
		rest := text[len(b):]
		isClosing := bytes.HasPrefix(rest, []byte("--"))
		if isClosing || len(bytes.TrimRight(rest, " \t")) == 0 {
			level, closing, found, longest = i, isClosing, true, len(b)
		}
	}
	return level, closing, found
}

// fields takes the MIME fields from a header whose lines end in LF.
func (part *Part) fields(header []byte) {
	seenType := false
	for f := range Fields(header) {
		if len(f.Name) < 8 || !equalFold(string(f.Name[:8]), "content-") {
			continue
		}
		switch strings.ToLower(string(f.Name[8:])) {
		case "type":
			if t, sub, params, ok := parseContentType(f.Value); ok && !seenType {
				part.Type, part.Subtype, part.Params, seenType = t, sub, params, true
			}
		case "transfer-encoding":
			part.Encoding = parseToken(f.Value)
		case "id":
			part.ID = Unfold(f.Value)
		case "description":
			part.Description = Unfold(f.Value)
		case "md5":
			part.MD5 = parseToken(f.Value)
		case "disposition":
			part.Disposition, part.DispParams = parseDisposition(f.Value)
		case "language":
			part.Language = parseLanguages(f.Value)
		case "location":
			part.Location = strings.Join(strings.Fields(Unfold(f.Value)), "")
		}
	}
}

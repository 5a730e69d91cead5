package message

// Message is the structure of one message.
type Message struct {
	Size int64 // octets
	Root *Part
}

// Part is a part of a message: the message itself, a part of a multipart, or the
// message inside a message/rfc822.
type Part struct {
	// The header is [Start,Body), the blank line that ends it included; the body
	// is [Body,End). Octets from the start of the message.
	Start, Body, End int64
	Lines            int64 // line ends in the body

	Type, Subtype string  // as spelled; "text" "plain" if there is none that can be read
	Params        []Param // of Content-Type
	ID            string  // Content-ID
	Description   string  // Content-Description
	Encoding      string  // Content-Transfer-Encoding, "" if there is none
	MD5           string  // Content-MD5
	Disposition   string  // Content-Disposition, "" if there is none
	DispParams    []Param
	Language      []string
	Location      string

	Parts    []*Part   // of a multipart; nil for one without parts
	Inner    *Part     // of a message/rfc822
	Envelope *Envelope // of a message: the root, and every Inner
}

// Param is a parameter of a header field: Name as spelled, Value without quotes.
// The pieces of RFC 2231 continuations are joined; an encoded one keeps "*" at the
// end of its name and its value as it is encoded (DecodeParam).
type Param struct{ Name, Value string }

// IsMultipart reports whether the part has parts of its own.
func (p *Part) IsMultipart() bool { return p.Parts != nil }

// Param returns the value of a parameter of Content-Type, "" if it is not there.
func (p *Part) Param(name string) string { return paramOf(p.Params, name) }

func paramOf(params []Param, name string) string {
	for _, x := range params {
		if equalFold(x.Name, name) {
			return x.Value
		}
	}
	return ""
}

func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// Find returns the part that a section's part numbers name (RFC 3501 6.4.5), nil
// if there is none. No numbers name the message itself. A message/rfc822 is
// numbered as if its message stood in its place; a message that is no multipart
// has one part, number 1.
func (m *Message) Find(path []int) *Part {
	p := m.Root
	for i, n := range path {
		switch {
		case i == 0:
		case p.Inner != nil:
			p = p.Inner
		case p.Parts == nil:
			return nil // a part 1 has no parts of its own
		}
		switch {
		case p.Parts != nil:
			if n < 1 || n > len(p.Parts) {
				return nil
			}
			p = p.Parts[n-1]
		case n != 1:
			return nil
		}
	}
	return p
}

// Span is a run of octets of the message.
type Span struct{ Start, End int64 }

// Len is its length.
func (s Span) Len() int64 { return s.End - s.Start }

// Header is the span of the part's own header: for a part of a multipart its MIME
// header.
func (p *Part) Header() Span { return Span{p.Start, p.Body} }

// Text is the span of the part's body.
func (p *Part) Text() Span { return Span{p.Body, p.End} }

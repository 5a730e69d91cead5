package message

import "strings"

// Address is an address structure of RFC 3501 7.4.2. A group begins with one that
// has a Mailbox, its name, and no Host, and ends with one that has neither.
type Address struct {
	Name    string // "" if there is none; RFC 2047 words are not decoded
	Route   string // the obsolete source route
	Mailbox string
	Host    string
	Group   bool // it begins or ends a group: Host is NIL
}

const maxAddresses = 100000

// ParseAddresses reads a list of addresses (RFC 5322 3.4), with the obsolete forms
// and with what people write: a comment as a name, a blank where a comma should be,
// an address without a host.
func ParseAddresses(v []byte) []Address {
	p := addressParser{scanner: *newScanner(v)}
	for p.skip(); p.more() && len(p.out) < maxAddresses; p.skip() {
		if p.try(',') {
			continue
		}
		if p.try(';') {
			if p.inGroup {
				p.endGroup()
			}
			continue
		}
		before := p.pos
		p.address()
		if p.pos == before { // nothing that can be read: go on behind it
			p.pos++
		}
	}
	if p.inGroup {
		p.endGroup()
	}
	return p.out
}

type addressParser struct {
	scanner
	out     []Address
	inGroup bool
}

func (p *addressParser) endGroup() {
	p.inGroup = false
	p.out = append(p.out, Address{Group: true})
}

// address reads one address, or the beginning of a group.
func (p *addressParser) address() {
	if p.try('<') {
		p.angle("")
		return
	}
	phrase, spec := p.phrase()
	switch {
	case p.try('<'):
		p.angle(phrase)
	case p.peek() == '@':
		p.pos++
		p.out = append(p.out, Address{Mailbox: spec, Host: p.domain(), Name: p.trailingComment()})
	case p.peek() == ':' && !p.inGroup:
		p.pos++
		p.inGroup = true
		p.out = append(p.out, Address{Mailbox: phrase, Group: true})
	case p.peek() == ':':
		p.pos++
	case spec != "":
		p.out = append(p.out, Address{Mailbox: spec, Name: p.trailingComment()})
	}
}

// phrase reads words up to what follows a name or a local part. spec is the same
// without blanks round dots, as a local part.
func (p *addressParser) phrase() (phrase, spec string) {
	var words []string
	var local strings.Builder
	for p.more() {
		p.blanks()
		switch c := p.peek(); c {
		case 0, ',', ';', ':', '<', '>', '@':
			return strings.Join(words, " "), local.String()
		case '(':
			if len(words) == 0 {
				p.comment()
				continue
			}
			if !p.commentInside() {
				return strings.Join(words, " "), local.String()
			}
		case '"':
			q := p.quoted()
			words = append(words, q)
			local.WriteString(q)
		default:
			start := p.pos
			for p.more() && !isPhraseEnd(p.peek()) {
				p.pos++
			}
			if p.pos == start {
				p.pos++
			}
			w := string(p.b[start:p.pos])
			words = append(words, w)
			if n := local.Len(); n > 0 && !strings.HasSuffix(local.String(), ".") && !strings.HasPrefix(w, ".") {
				local.WriteByte(' ')
			}
			local.WriteString(w)
		}
	}
	return strings.Join(words, " "), local.String()
}

// commentInside skips a comment inside a phrase; false if the phrase ends there, so
// that the comment can be the name.
func (p *addressParser) commentInside() bool {
	mark := p.pos
	p.comment()
	p.blanks()
	switch p.peek() {
	case 0, ',', ';':
		p.pos = mark
		return false
	}
	return true
}

func (p *addressParser) blanks() {
	for p.more() && (p.b[p.pos] == ' ' || p.b[p.pos] == '\t' || p.b[p.pos] == '\r' || p.b[p.pos] == '\n') {
		p.pos++
	}
}

func isPhraseEnd(c byte) bool { return c <= ' ' || strings.IndexByte(`,;:<>@("`, c) >= 0 }

// angle reads the rest of <route:local@domain>.
func (p *addressParser) angle(name string) {
	a := Address{Name: name}
	p.skip()
	if p.peek() == '@' {
		start := p.pos
		for p.more() && p.peek() != ':' && p.peek() != '>' {
			p.pos++
		}
		if p.peek() == ':' {
			a.Route = strings.Join(strings.Fields(string(p.b[start:p.pos])), "")
			p.pos++
		} else {
			p.pos = start
		}
	}
	a.Mailbox = p.local()
	if p.try('@') {
		a.Host = p.domain()
	}
	for p.more() && p.peek() != '>' && p.peek() != ',' {
		p.pos++
	}
	p.try('>')
	if a.Name == "" {
		a.Name = p.trailingComment()
	} else {
		p.trailingComment()
	}
	p.out = append(p.out, a)
}

// local reads a local part: words and dots.
func (p *addressParser) local() string {
	var b strings.Builder
	for p.skip(); p.more(); p.skip() {
		switch c := p.peek(); {
		case c == '"':
			b.WriteString(p.quoted())
		case c == '@' || c == '>' || c == ',':
			return b.String()
		default:
			b.WriteByte(c)
			p.pos++
		}
	}
	return b.String()
}

// domain reads a domain: words and dots, or a literal in brackets.
func (p *addressParser) domain() string {
	var b strings.Builder
	p.skip()
	if p.peek() == '[' {
		for p.more() {
			c := p.b[p.pos]
			p.pos++
			b.WriteByte(c)
			if c == ']' {
				return b.String()
			}
		}
		return b.String()
	}
	for p.more() {
		c := p.peek()
		if isPhraseEnd(c) {
			mark := p.pos
			p.blanks()
			if p.peek() == '.' || strings.HasSuffix(b.String(), ".") && !isPhraseEnd(p.peek()) {
				continue
			}
			p.pos = mark
			return b.String()
		}
		b.WriteByte(c)
		p.pos++
	}
	return b.String()
}

// trailingComment returns the text of a comment after an address: its name, as
// people wrote it before RFC 822.
func (p *addressParser) trailingComment() string {
	text := ""
	for {
		p.blanks()
		if p.peek() != '(' {
			return text
		}
		text = strings.TrimSpace(p.comment())
	}
}

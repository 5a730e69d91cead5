package message

import (
	"bytes"
	"cmp"
	"strings"
)

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

// What stands for a local part or a domain that an address does not have. RFC 3501
// 7.4.2 keeps NIL for groups and lets the server default "various fields as
// necessary"; these are the words that Dovecot's clients know.
const (
	MissingMailbox = "MISSING_MAILBOX"
	MissingHost    = "MISSING_DOMAIN"
)

// ParseAddresses reads a list of addresses (RFC 5322 3.4), with the obsolete forms
// and with what people write: a comment as a name, a blank or a semicolon where a
// comma should be, a name without an address.
func ParseAddresses(v []byte) []Address { return appendAddresses(nil, v) }

func appendAddresses(dst []Address, v []byte) []Address {
	p := addressParser{scanner: scanner{b: v}, out: dst}
	for p.skip(); p.more() && len(p.out) < maxAddresses; p.skip() {
		if p.try(',') {
			p.behind = false
			continue
		}
		if p.try(';') {
			p.behind = false
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
	out      []Address
	inGroup  bool
	behind   bool // an address, and no comma since
	noQuotes bool // the last quote is not closed
	isQuoted bool // the last word was a quoted string
	// The words before what says what they are, in two forms: as a name, and as a
	// local part without blanks round its dots.
	name, spec []byte
	buf        []byte
}

func (p *addressParser) endGroup() {
	p.inGroup = false
	p.out = append(p.out, Address{Group: true})
}

// address reads one address, or the beginning of a group.
func (p *addressParser) address() {
	words := p.phrase()
	switch {
	case p.try('<'):
		p.angle(string(p.name))
	case p.behind && (words == 0 || p.peek() != '@'): // what is left of an address
		p.try('@')
	case p.try('@'):
		a := Address{Mailbox: string(p.spec)}
		if words == 0 {
			a.Mailbox = MissingMailbox
		}
		a.Host = p.domain()
		a.Name = p.trailingComment()
		p.add(a)
	case p.peek() == ':' && !p.inGroup && len(p.name) > 0:
		p.pos++
		p.inGroup = true
		p.out = append(p.out, Address{Mailbox: string(p.name), Group: true})
	case p.peek() == ':' || words == 0:
		return
	case words > 1 || p.isQuoted:
		p.add(Address{Name: string(p.name), Mailbox: MissingMailbox})
	default:
		p.add(Address{Mailbox: string(p.spec), Name: p.trailingComment()})
	}
}

// add adds an address that is no end of a group.
func (p *addressParser) add(a Address) {
	p.behind = true
	a.Host = cmp.Or(a.Host, MissingHost)
	p.out = append(p.out, a)
}

// phrase reads words up to what follows a name or a local part, and counts them.
func (p *addressParser) phrase() (words int) {
	p.name, p.spec, p.isQuoted = p.name[:0], p.spec[:0], false
	for {
		p.blanks()
		if !p.more() {
			return words
		}
		switch c := p.b[p.pos]; c {
		case ',', ';', ':', '<', '>', '@':
			return words
		case '(':
			if words > 0 && !p.commentInside() {
				return words
			} else if words == 0 {
				p.comment()
			}
		case '"':
			if p.quotedWord(words) {
				words++
			}
		default:
			start := p.pos
			for p.more() && !isPhraseEnd(p.b[p.pos]) {
				p.pos++
			}
			p.word(p.b[start:p.pos], words)
			words++
		}
	}
}

// word adds a word to the phrase.
func (p *addressParser) word(w []byte, before int) {
	if before > 0 {
		p.name = append(p.name, ' ')
		if n := len(p.spec); n > 0 && p.spec[n-1] != '.' && (len(w) == 0 || w[0] != '.') {
			p.spec = append(p.spec, ' ')
		}
	}
	p.name, p.spec = append(p.name, w...), append(p.spec, w...)
}

// quotedWord reads a quoted string as a word. A quote that is never closed is no
// quoted string (RFC 5322 3.2.4): it is left out, and what follows are plain words.
func (p *addressParser) quotedWord(before int) bool {
	mark := p.pos
	if !p.noQuotes {
		var closed bool
		if p.buf, closed = p.appendQuoted(p.buf[:0]); closed {
			p.word(p.buf, before)
			p.isQuoted = true
			return true
		}
	}
	p.noQuotes = true
	p.pos = mark + 1
	return false
}

// commentInside skips a comment inside a phrase; false if the phrase ends there, so
// that the comment can be the name.
func (p *addressParser) commentInside() bool {
	mark := p.pos
	p.comment()
	p.blanks()
	if !p.more() || strings.IndexByte(",;(", p.b[p.pos]) >= 0 {
		p.pos = mark
		return false
	}
	return true
}

func (p *addressParser) blanks() {
	for p.more() && isBlank(p.b[p.pos]) {
		p.pos++
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func isPhraseEnd(c byte) bool { return isBlank(c) || strings.IndexByte(`,;:<>@("`, c) >= 0 }

// angle reads the rest of <route:local@domain>.
func (p *addressParser) angle(name string) {
	a := Address{Name: name}
	for p.skip(); p.try('<'); p.skip() {
	}
	if p.peek() == '@' {
		start := p.pos
		for p.more() && p.peek() != ':' && p.peek() != '>' && p.peek() != '<' {
			p.pos++
		}
		if p.peek() == ':' {
			a.Route = strings.Join(strings.Fields(string(p.b[start:p.pos])), "")
			p.pos++
		} else {
			p.pos = start
		}
	}
	a.Mailbox = cmp.Or(p.local(), MissingMailbox)
	if p.try('@') {
		a.Host = p.domain()
	}
	for p.more() && p.peek() != '>' && p.peek() != ',' {
		p.pos++
	}
	for p.try('>') {
	}
	if comment := p.trailingComment(); a.Name == "" {
		a.Name = comment
	}
	p.add(a)
}

// local reads a local part: words and dots.
func (p *addressParser) local() string {
	p.buf = p.buf[:0]
	for p.skip(); p.more(); p.skip() {
		switch c := p.peek(); {
		case c == '"':
			p.buf, _ = p.appendQuoted(p.buf)
		case c == '@' || c == '>' || c == ',':
			return string(p.buf)
		default:
			p.buf = append(p.buf, c)
			p.pos++
		}
	}
	return string(p.buf)
}

// domain reads a domain: words and dots, or a literal in brackets.
func (p *addressParser) domain() string {
	p.skip()
	p.buf = p.buf[:0]
	if p.peek() == '[' {
		return p.literal()
	}
	for p.more() {
		c := p.peek()
		if !isPhraseEnd(c) {
			p.buf = append(p.buf, c)
			p.pos++
			continue
		}
		mark := p.pos
		p.skip()
		if p.pos == mark || p.peek() != '.' && (!bytes.HasSuffix(p.buf, []byte(".")) || isPhraseEnd(p.peek())) {
			p.pos = mark
			break
		}
	}
	return string(p.buf)
}

// literal reads a domain literal: "" if it is not closed.
func (p *addressParser) literal() string {
	start := p.pos
	for p.more() && p.peek() != ',' && p.peek() != '>' {
		p.pos++
		if p.b[p.pos-1] == ']' {
			return string(p.b[start:p.pos])
		}
	}
	return ""
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

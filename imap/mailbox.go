package imap

import (
	"strings"
	"unicode/utf8"
)

// Mailbox reads a mailbox name and returns it as UTF-8, in the client's form: with
// its prefix and delimiters. INBOX comes in capitals. A name that is not modified
// UTF-7 but whole UTF-8 is taken as that, as RFC 9051 5.1 allows a server to be.
//
//	mailbox = "INBOX" / astring
func (d *Decoder) Mailbox() string {
	start := d.pos
	return d.name(start, d.Astring())
}

// ListPattern reads a mailbox name with wildcards.
//
//	list-mailbox = 1*list-char / string
func (d *Decoder) ListPattern() string {
	start := d.pos
	if c := d.Peek(); c == '"' || c == '{' {
		return d.name(start, d.String())
	}
	b := d.span(isList)
	if len(b) == 0 {
		d.Fail("a mailbox name, perhaps with wildcards")
	}
	return d.name(start, b)
}

func (d *Decoder) name(start int, b []byte) string {
	if d.err != nil {
		return ""
	}
	s := string(b)
	if strings.EqualFold(s, "INBOX") {
		return "INBOX"
	}
	for i := range len(b) {
		if b[i] >= 0x80 {
			if !utf8.Valid(b) {
				d.failAt(start, "a mailbox name in modified UTF-7")
				return ""
			}
			return s
		}
	}
	name, err := DecodeUTF7(s)
	if err != nil {
		d.failAt(start, "a mailbox name in modified UTF-7")
		return ""
	}
	return name
}

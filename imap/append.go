package imap

import "time"

// Append is the arguments of APPEND before the literal, whose octets follow.
type Append struct {
	Mailbox string
	Flags   Flags
	Date    time.Time // zero if none was given
	Literal Literal
}

// Append reads the arguments of APPEND up to the literal's announcement.
//
//	append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal
func (d *Decoder) Append() Append {
	a := Append{Mailbox: d.Mailbox()}
	d.SP()
	if d.Peek() == '(' {
		a.Flags = d.FlagList()
		d.SP()
	}
	if d.Peek() == '"' {
		a.Date = d.DateTime()
		d.SP()
	}
	if c := d.Peek(); c != '{' && c != '~' {
		d.Fail("a literal with the message")
	}
	a.Literal = d.LiteralHeader()
	return a
}

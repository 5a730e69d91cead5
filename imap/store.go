package imap

import (
	"strings"

	"postrider/mail"
)

// maxFlags bounds the flags of one list.
const maxFlags = 1000

// Flags are the flags of a list as a client gave them.
type Flags struct {
	System   mail.Flags
	Recent   bool // \Recent, which no client can set
	Keywords []string
	Unknown  string // the first word with "\" that is no system flag
}

// FlagList reads a parenthesised list of flags.
//
//	flag-list = "(" [flag *(SP flag)] ")"
func (d *Decoder) FlagList() Flags {
	var f Flags
	d.List(func() { d.flag(&f) })
	return f
}

// flag reads a flag into f.
//
//	flag         = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword / flag-extension
//	flag-keyword = atom
func (d *Decoder) flag(f *Flags) {
	if d.Try('\\') {
		name := `\` + d.Atom()
		switch sys, ok := mail.ParseFlag(name); {
		case ok:
			f.System |= sys
		case strings.EqualFold(name, `\Recent`):
			f.Recent = true
		case f.Unknown == "":
			f.Unknown = name
		}
		return
	}
	start := d.pos
	k := d.Atom()
	if d.err == nil && !mail.ValidKeyword(k) {
		d.failAt(start, "a flag")
	}
	if len(f.Keywords) >= maxFlags {
		d.failAt(start, "fewer flags")
		return
	}
	f.Keywords = append(f.Keywords, k)
}

// Store is what STORE asks for, after its set of messages.
type Store struct {
	Op     mail.FlagOp
	Silent bool
	Flags  Flags
}

// StoreAction reads what a STORE does.
//
//	store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
func (d *Decoder) StoreAction() Store {
	var s Store
	switch {
	case d.Try('+'):
		s.Op = mail.AddFlags
	case d.Try('-'):
		s.Op = mail.RemoveFlags
	}
	start := d.pos
	switch d.Word("FLAGS") {
	case "FLAGS":
	case "FLAGS.SILENT":
		s.Silent = true
	default:
		d.failAt(start, "FLAGS or FLAGS.SILENT")
	}
	d.SP()
	if d.Peek() == '(' {
		s.Flags = d.FlagList()
		return s
	}
	for d.err == nil {
		d.flag(&s.Flags)
		if d.AtEnd() || d.Peek() != ' ' {
			break
		}
		d.SP()
		if d.AtEnd() {
			break
		}
	}
	return s
}

package imap

import "strings"

// StatusItem is an attribute that STATUS asks for (RFC 3501 6.3.10).
type StatusItem uint8

// The attributes, in the order in which they are answered.
const (
	StatusMessages StatusItem = iota
	StatusRecent
	StatusUIDNext
	StatusUIDValidity
	StatusUnseen
)

var statusNames = [...]string{"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN"}

// String is the attribute's name on the wire.
func (s StatusItem) String() string { return statusNames[s] }

// StatusItems reads the attributes of STATUS. A single one without parentheses is
// forgiven.
//
//	status     = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"
//	status-att = "MESSAGES" / "RECENT" / "UIDNEXT" / "UIDVALIDITY" / "UNSEEN"
func (d *Decoder) StatusItems() []StatusItem {
	var items []StatusItem
	one := func() {
		start := d.pos
		word := d.Word("a status item")
		for i, name := range statusNames {
			if name == word && len(items) < maxItems {
				items = append(items, StatusItem(i))
				return
			}
		}
		d.failAt(start, "a status item: MESSAGES, RECENT, UIDNEXT, UIDVALIDITY or UNSEEN")
	}
	if d.Peek() != '(' {
		one()
		return items
	}
	d.List(one)
	if len(items) == 0 {
		d.Fail("a status item")
	}
	return items
}

// List is a LIST command, with the options of RFC 5258 and RFC 6154.
type List struct {
	Reference string
	Patterns  []string
	Select    []string     // selection options, in capitals
	Return    []string     // return options, in capitals
	Status    []StatusItem // of the return option STATUS (RFC 5819)
	Extended  bool         // options or a list of patterns were given
}

const maxOptions = 100

// List reads the arguments of LIST.
//
//	list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]
//	list-select-opts = "(" [option *(SP option)] ")"
//	mbox-or-pat      = list-mailbox / "(" list-mailbox *(SP list-mailbox) ")"
//	list-return-opts = "RETURN" SP "(" [option *(SP option)] ")"
func (d *Decoder) ListArgs() List {
	var l List
	if d.Peek() == '(' {
		l.Extended = true
		l.Select = d.options()
		d.SP()
	}
	l.Reference = d.Mailbox()
	d.SP()
	if d.Peek() == '(' {
		l.Extended = true
		d.List(func() {
			if len(l.Patterns) >= maxOptions {
				d.Fail("fewer patterns")
			}
			l.Patterns = append(l.Patterns, d.ListPattern())
		})
	} else {
		l.Patterns = []string{d.ListPattern()}
	}
	if d.AtEnd() || d.Peek() != ' ' {
		return l
	}
	d.SP()
	if d.AtEnd() {
		return l
	}
	if !d.TryWord("RETURN") {
		d.Fail("RETURN")
	}
	d.SP()
	l.Extended = true
	l.Return = d.returnOptions(&l.Status)
	return l
}

// returnOptions reads the return options, with the items of STATUS.
//
//	return-option = "SUBSCRIBED" / "CHILDREN" / "STATUS" SP "(" status-att *(SP status-att) ")" / option-extension
func (d *Decoder) returnOptions(status *[]StatusItem) []string {
	var words []string
	d.List(func() {
		if len(words) >= maxOptions {
			d.Fail("fewer options")
		}
		word := d.Word("an option")
		if word == "STATUS" {
			d.SP()
			*status = d.StatusItems()
		}
		words = append(words, word)
	})
	return words
}

// options reads a parenthesised list of words.
func (d *Decoder) options() []string {
	var words []string
	d.List(func() {
		if len(words) >= maxOptions {
			d.Fail("fewer options")
		}
		words = append(words, d.Word("an option"))
	})
	return words
}

// Lsub is the arguments of LSUB.
type Lsub struct{ Reference, Pattern string }

// Lsub reads the arguments of LSUB.
//
//	lsub = "LSUB" SP mailbox SP list-mailbox
func (d *Decoder) Lsub() Lsub {
	var l Lsub
	l.Reference = d.Mailbox()
	d.SP()
	l.Pattern = d.ListPattern()
	return l
}

// Create is the arguments of CREATE.
type Create struct {
	Mailbox string
	Use     []string // special-use attributes (RFC 6154 3), as the client spelled them
}

// Create reads the arguments of CREATE.
//
//	create    = "CREATE" SP mailbox [SP "(" create-param *(SP create-param) ")"]
//	create-param = "USE" SP "(" [use-attr *(SP use-attr)] ")"
func (d *Decoder) Create() Create {
	c := Create{Mailbox: d.Mailbox()}
	if d.AtEnd() || d.Peek() != ' ' {
		return c
	}
	d.SP()
	if d.AtEnd() {
		return c
	}
	d.List(func() {
		start := d.pos
		if d.Word("USE") != "USE" {
			d.failAt(start, "USE")
		}
		d.SP()
		d.List(func() {
			d.Expect('\\')
			if len(c.Use) >= maxOptions {
				d.Fail("fewer attributes")
			}
			c.Use = append(c.Use, `\`+d.Atom())
		})
	})
	return c
}

// ID reads the arguments of ID (RFC 2971 3.3): pairs of a field and a value, which
// is "" for NIL.
//
//	id-params-list = "(" *(string SP nstring) ")" / nil
func (d *Decoder) ID() [][2]string {
	if d.TryWord("NIL") {
		return nil
	}
	var pairs [][2]string
	d.List(func() {
		field := d.idText(d.String())
		d.SP()
		value, _ := d.NString()
		pairs = append(pairs, [2]string{field, d.idText(value)})
		if len(pairs) > 30 { // RFC 2971 3.3: not more
			d.Fail("at most 30 fields")
		}
	})
	return pairs
}

// idText keeps a text from an ID within the bounds of RFC 2971 3.3 and printable.
func (d *Decoder) idText(b []byte) string {
	if len(b) > 1024 {
		d.Fail("a value of at most 1024 octets")
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '.'
		}
		return r
	}, string(b))
}

// AppendID appends an ID response's list (RFC 2971 3.2), or NIL.
func AppendID(dst []byte, pairs [][2]string) []byte {
	if len(pairs) == 0 {
		return append(dst, "NIL"...)
	}
	dst = append(dst, '(')
	for i, p := range pairs {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = AppendString(dst, []byte(p[0]))
		dst = append(dst, ' ')
		dst = AppendString(dst, []byte(p[1]))
	}
	return append(dst, ')')
}

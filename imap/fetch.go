package imap

import (
	"strconv"
	"strings"
)

// FetchKind says which data item a FetchItem asks for.
type FetchKind uint8

// The items of RFC 3501 6.4.5; macros are expanded where they are read.
const (
	FetchUID FetchKind = iota
	FetchFlags
	FetchInternalDate
	FetchSize // RFC822.SIZE
	FetchEnvelope
	FetchBody          // BODY: the structure without extension data
	FetchBodyStructure // BODYSTRUCTURE
	FetchSection       // BODY[...] and BODY.PEEK[...]
	FetchRFC822
	FetchRFC822Header
	FetchRFC822Text
)

// FetchItem is one data item.
type FetchItem struct {
	Kind    FetchKind
	Peek    bool // does not set \Seen
	Section Section
	Partial *Partial
}

// Partial is <offset.count>.
type Partial struct{ Offset, Count uint32 }

// SectionText says which text of a part a Section means.
type SectionText uint8

const (
	SectionAll       SectionText = iota // the part's body, or the whole message
	SectionHeader                       // HEADER
	SectionFields                       // HEADER.FIELDS
	SectionFieldsNot                    // HEADER.FIELDS.NOT
	SectionBody                         // TEXT
	SectionMIME                         // MIME
)

var sectionNames = [...]string{"", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"}

// Section names a text of a message.
type Section struct {
	Path   []int // part numbers from 1
	Text   SectionText
	Fields []string // as the client spelled them
}

const (
	maxPath   = 128 // more than package message makes parts deep
	maxFields = 1000
	maxItems  = 1000
)

// FetchItems reads what a FETCH asks for.
//
//	fetch = "ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")"
func (d *Decoder) FetchItems() []FetchItem {
	var items []FetchItem
	add := func() {
		items = append(items, d.fetchItem()...)
		if len(items) > maxItems {
			d.Fail("fewer items")
		}
	}
	if d.Peek() == '(' {
		d.List(add)
		if len(items) == 0 {
			d.Fail("at least one item")
		}
		return items
	}
	add()
	return items
}

// fetchItem reads one item, or a macro: clients put those in parentheses, too.
//
//	fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" / ".TEXT"] /
//	            "BODY" ["STRUCTURE"] / "UID" / "BODY" section ["<" number "." nz-number ">"] /
//	            "BODY.PEEK" section ["<" number "." nz-number ">"]
func (d *Decoder) fetchItem() []FetchItem {
	start := d.pos
	word := strings.ToUpper(string(d.fetchWord()))
	if macro := fetchMacros[word]; macro != nil {
		return macro
	}
	if kind, ok := fetchNames[word]; ok && !(word == "BODY" && d.Peek() == '[') {
		return []FetchItem{{Kind: kind}}
	}
	if word == "BODY" || word == "BODY.PEEK" {
		item := FetchItem{Kind: FetchSection, Peek: word == "BODY.PEEK"}
		item.Section = d.section()
		item.Partial = d.partial()
		return []FetchItem{item}
	}
	d.failAt(start, "a FETCH item")
	return nil
}

// fetchWord reads an item's name, which ends before "[".
func (d *Decoder) fetchWord() []byte {
	start := d.pos
	for d.err == nil && d.pos < len(d.b) && is(d.b[d.pos], isAtom) && d.b[d.pos] != '[' {
		d.pos++
	}
	return d.b[start:d.pos]
}

var fetchNames = map[string]FetchKind{
	"UID": FetchUID, "FLAGS": FetchFlags, "INTERNALDATE": FetchInternalDate, "RFC822.SIZE": FetchSize,
	"ENVELOPE": FetchEnvelope, "BODY": FetchBody, "BODYSTRUCTURE": FetchBodyStructure,
	"RFC822": FetchRFC822, "RFC822.HEADER": FetchRFC822Header, "RFC822.TEXT": FetchRFC822Text,
}

var fetchMacros = map[string][]FetchItem{
	"FAST": {{Kind: FetchFlags}, {Kind: FetchInternalDate}, {Kind: FetchSize}},
	"ALL":  {{Kind: FetchFlags}, {Kind: FetchInternalDate}, {Kind: FetchSize}, {Kind: FetchEnvelope}},
	"FULL": {{Kind: FetchFlags}, {Kind: FetchInternalDate}, {Kind: FetchSize}, {Kind: FetchEnvelope}, {Kind: FetchBody}},
}

// section reads a section.
//
//	section         = "[" [section-spec] "]"
//	section-spec    = section-msgtext / (section-part ["." section-text])
//	section-part    = nz-number *("." nz-number)
//	section-text    = section-msgtext / "MIME"
//	section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
func (d *Decoder) section() Section {
	var s Section
	d.Expect('[')
	for is(d.Peek(), isDigit) {
		s.Path = append(s.Path, int(min(d.NZNumber(), 1<<30)))
		if len(s.Path) > maxPath {
			d.Fail("a shorter part number")
		}
		if !d.Try('.') {
			d.Expect(']')
			return s
		}
	}
	if len(s.Path) == 0 && d.Try(']') {
		return s
	}
	start := d.pos
	word := strings.ToUpper(string(d.fetchWord()))
	for i, name := range sectionNames {
		if i > 0 && name == word && (SectionText(i) != SectionMIME || len(s.Path) > 0) {
			s.Text = SectionText(i)
		}
	}
	switch s.Text {
	case SectionAll:
		d.failAt(start, "a part number, HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or MIME")
	case SectionFields, SectionFieldsNot:
		d.SP()
		s.Fields = d.headerList()
	}
	d.Expect(']')
	return s
}

// headerList reads the names of header fields.
//
//	header-list = "(" header-fld-name *(SP header-fld-name) ")"
func (d *Decoder) headerList() []string {
	var names []string
	d.List(func() {
		start := d.pos
		name := d.Astring()
		if len(name) == 0 || len(names) >= maxFields {
			d.failAt(start, "a header field's name")
			return
		}
		names = append(names, string(name))
	})
	if len(names) == 0 {
		d.Fail("a header field's name")
	}
	return names
}

// partial reads <offset.count> if it is there.
func (d *Decoder) partial() *Partial {
	if !d.Try('<') {
		return nil
	}
	var p Partial
	p.Offset = d.Number()
	d.Expect('.')
	p.Count = d.NZNumber()
	d.Expect('>')
	return &p
}

// AppendName appends the item's name as it stands in a response.
func (it FetchItem) AppendName(dst []byte) []byte {
	if it.Kind != FetchSection {
		return append(dst, fetchWire[it.Kind]...)
	}
	dst = append(dst, "BODY["...)
	s := it.Section
	for i, n := range s.Path {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = strconv.AppendInt(dst, int64(n), 10)
	}
	if s.Text != SectionAll {
		if len(s.Path) > 0 {
			dst = append(dst, '.')
		}
		dst = append(dst, sectionNames[s.Text]...)
	}
	if s.Text == SectionFields || s.Text == SectionFieldsNot {
		dst = append(dst, " ("...)
		for i, f := range s.Fields {
			if i > 0 {
				dst = append(dst, ' ')
			}
			dst = AppendAstring(dst, []byte(f))
		}
		dst = append(dst, ')')
	}
	dst = append(dst, ']')
	if it.Partial != nil {
		dst = append(dst, '<')
		dst = strconv.AppendUint(dst, uint64(it.Partial.Offset), 10)
		dst = append(dst, '>')
	}
	return dst
}

var fetchWire = func() (names [FetchRFC822Text + 1]string) {
	for name, kind := range fetchNames {
		names[kind] = name
	}
	return names
}()

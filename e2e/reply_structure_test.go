package e2e_test

import (
	"fmt"
	"strconv"
	"strings"
)

// toldPart is a part as BODY or BODYSTRUCTURE tells of it.
type toldPart struct {
	section string // "" for the message itself
	fields  map[string]string
	size    int64 // -1 for a multipart
	lines   int64 // -1 where there are none
	parts   []*toldPart
	inner   *toldPart // of a message/rfc822
}

// grammar reads values by the grammar of RFC 3501 9; the first fault stays.
type grammar struct{ err error }

func (s *grammar) fail(what string, v value) {
	if s.err == nil {
		s.err = fmt.Errorf("no %s: %.80q", what, fmt.Sprint(v))
	}
}

func (s *grammar) nstring(v value) string {
	switch v.kind {
	case 'n':
		return "NIL"
	case '"':
		return strconv.Quote(v.text)
	}
	s.fail("nstring", v)
	return ""
}

func (s *grammar) string(v value) string {
	if v.kind != '"' {
		s.fail("string", v)
	}
	return strconv.Quote(v.text)
}

func (s *grammar) number(v value) int64 {
	n, err := strconv.ParseUint(v.text, 10, 32)
	if v.kind != 'a' || err != nil || strconv.FormatUint(n, 10) != v.text {
		s.fail("number", v)
	}
	return int64(n)
}

func (s *grammar) list(v value, least int) []value {
	if v.kind != '(' || len(v.list) < least {
		s.fail(fmt.Sprintf("list of %d", least), v)
		return make([]value, least)
	}
	return v.list
}

var envelopeItems = []string{"date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id"}

// envelope gives the items of an envelope by their names.
func (s *grammar) envelope(v value, prefix string, into map[string]string) {
	items := s.list(v, len(envelopeItems))
	if len(items) != len(envelopeItems) {
		s.fail("envelope", v)
	}
	for i, name := range envelopeItems {
		if i < 2 || i > 7 {
			into[prefix+name] = s.nstring(items[i])
		} else {
			into[prefix+name] = s.addresses(items[i])
		}
	}
}

func (s *grammar) addresses(v value) string {
	if v.kind == 'n' {
		return "NIL"
	}
	var out strings.Builder
	for _, a := range s.list(v, 1) {
		fields := s.list(a, 4)
		if len(fields) != 4 {
			s.fail("address", a)
		}
		for _, f := range fields {
			out.WriteString(s.nstring(f) + " ")
		}
		out.WriteString("; ")
	}
	return out.String()
}

func (s *grammar) params(v value) string {
	if v.kind == 'n' {
		return "NIL"
	}
	var out strings.Builder
	l := s.list(v, 2)
	if len(l)%2 != 0 {
		s.fail("body-fld-param", v)
	}
	for i := 0; i+1 < len(l); i += 2 {
		out.WriteString(s.string(l[i]) + "=" + s.string(l[i+1]) + "; ")
	}
	return out.String()
}

// body reads a body; extended tells BODYSTRUCTURE from BODY.
func (s *grammar) body(v value, section string, extended bool) *toldPart {
	p := &toldPart{section: section, fields: map[string]string{}, size: -1, lines: -1}
	if l := s.list(v, 1); l[0].kind == '(' {
		s.multipart(p, l, extended)
	} else {
		if section == "" { // a message that is no multipart has one part
			p.section = "1"
		}
		s.single(p, l, extended)
	}
	return p
}

func under(section string, n int) string {
	if section == "" {
		return strconv.Itoa(n)
	}
	return section + "." + strconv.Itoa(n)
}

func (s *grammar) multipart(p *toldPart, l []value, extended bool) {
	for len(l) > 0 && l[0].kind == '(' {
		p.parts = append(p.parts, s.body(l[0], under(p.section, len(p.parts)+1), extended))
		l = l[1:]
	}
	want := 1
	if extended {
		want = 5
	}
	if len(l) != want {
		s.fail("multipart", value{list: l})
		return
	}
	p.fields["type"] = `"multipart" ` + s.string(l[0])
	if extended {
		p.fields["params"] = s.params(l[1])
		s.extension(p, l[2:])
	}
}

func (s *grammar) single(p *toldPart, l []value, extended bool) {
	if len(l) < 7 {
		s.fail("body of one part", value{list: l})
		return
	}
	p.fields["type"] = s.string(l[0]) + " " + s.string(l[1])
	p.fields["params"] = s.params(l[2])
	p.fields["id"], p.fields["description"] = s.nstring(l[3]), s.nstring(l[4])
	p.fields["encoding"] = s.string(l[5])
	p.size = s.number(l[6])
	l = l[7:]
	switch strings.ToLower(p.fields["type"]) {
	case `"message" "rfc822"`:
		if len(l) < 3 {
			s.fail("body-type-msg", value{list: l})
			return
		}
		s.envelope(l[0], "envelope.", p.fields)
		section := p.section
		if l[1].kind == '(' && len(l[1].list) > 0 && l[1].list[0].kind != '(' {
			section = under(section, 1)
		}
		p.inner = s.body(l[1], section, extended)
		p.lines = s.number(l[2])
		l = l[3:]
	default:
		if strings.HasPrefix(strings.ToLower(p.fields["type"]), `"text" `) {
			if len(l) < 1 {
				s.fail("body-type-text", value{list: l})
				return
			}
			p.lines = s.number(l[0])
			l = l[1:]
		}
	}
	if !extended && len(l) != 0 || extended && len(l) != 4 {
		s.fail("end of a body", value{list: l})
	} else if extended {
		p.fields["md5"] = s.nstring(l[0])
		s.extension(p, l[1:])
	}
}

// extension reads disposition, language and location.
func (s *grammar) extension(p *toldPart, l []value) {
	p.fields["disposition"] = "NIL"
	if l[0].kind != 'n' {
		d := s.list(l[0], 2)
		p.fields["disposition"] = s.string(d[0]) + " " + s.params(d[1])
	}
	if l[1].kind == '(' {
		var words []string
		for _, w := range s.list(l[1], 1) {
			words = append(words, s.string(w))
		}
		p.fields["language"] = strings.Join(words, ",")
	} else {
		p.fields["language"] = s.nstring(l[1])
	}
	p.fields["location"] = s.nstring(l[2])
}

// flat gives every fact of a part and those in it by section and name.
func (p *toldPart) flat(prefix string, into map[string]string) {
	for name, v := range p.fields {
		into[prefix+" "+name] = v
	}
	into[prefix+" size"] = strconv.FormatInt(p.size, 10)
	into[prefix+" lines"] = strconv.FormatInt(p.lines, 10)
	into[prefix+" parts"] = strconv.Itoa(len(p.parts))
	for i, c := range p.parts {
		c.flat(prefix+"."+strconv.Itoa(i+1), into)
	}
	if p.inner != nil {
		p.inner.flat(prefix+".in", into)
	}
}

// each calls f for the part and all in it.
func (p *toldPart) each(f func(*toldPart)) {
	f(p)
	for _, c := range p.parts {
		c.each(f)
	}
	if p.inner != nil {
		p.inner.each(f)
	}
}

// told is what a server says of one message.
type told struct {
	facts map[string]string // of ENVELOPE and BODYSTRUCTURE, by name
	root  *toldPart
	size  int64
	err   error // what is wrong with it by RFC 3501 9
}

// tell reads the answer of ENVELOPE, BODY, BODYSTRUCTURE and RFC822.SIZE.
func tell(items map[string]value) told {
	s := &grammar{}
	out := told{facts: map[string]string{}}
	s.envelope(items["ENVELOPE"], "envelope ", out.facts)
	out.root = s.body(items["BODYSTRUCTURE"], "", true)
	out.size = s.number(items["RFC822.SIZE"])
	out.root.flat("part", out.facts)
	short := map[string]string{}
	s.body(items["BODY"], "", false).flat("part", short)
	out.err = s.err
	for name, v := range short {
		if out.err == nil && out.facts[name] != v {
			out.err = fmt.Errorf("BODY says %s of %s, BODYSTRUCTURE %s", v, name, out.facts[name])
		}
	}
	return out
}

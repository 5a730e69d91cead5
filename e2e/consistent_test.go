package e2e_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// TestAnswersAgreeWithEachOther: of the hard messages, of odd ones and of such as
// were changed at random, every answer keeps to the grammar, the parts are octets of
// the message, and their sizes and line counts are true.
func TestAnswersAgreeWithEachOther(t *testing.T) {
	o := newOdd(1)
	hard := hardOnes(t)
	messages := hard
	for range 100 {
		messages = append(messages, o.message(), o.mutate(hard[o.IntN(len(hard))], hard, true), o.mutate(o.message(), hard, true))
	}
	s := startServer(t)
	a := s.account(t)
	c := dialIMAP(t, s.port, a.user)
	c.append("INBOX", messages)
	c.ok("SELECT INBOX")
	for i, said := range c.tell(len(messages)) {
		err := said.err
		if err == nil {
			err = consistent(c, i+1, said, messages[i])
		}
		if err != nil {
			t.Errorf("%v\n%.2000q", err, messages[i])
		}
	}
}

// tell asks for the structure of all messages.
func (c *imapClient) tell(count int) []told {
	c.t.Helper()
	all := c.fetch("1:*", "(ENVELOPE BODY BODYSTRUCTURE RFC822.SIZE)")
	if len(all) != count {
		c.t.Fatalf("%d messages were told of, not %d", len(all), count)
	}
	out := make([]told, count)
	for i := range out {
		out[i] = tell(all[i+1])
	}
	return out
}

// consistent compares what is said of a message with its octets.
func consistent(c *imapClient, n int, said told, message string) error {
	items := []string{"BODY.PEEK[]", "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]"}
	said.root.each(func(p *toldPart) {
		if p.section != "" {
			items = append(items, p.item(""), p.item(".MIME"))
		}
		if p.inner != nil {
			items = append(items, p.item(".HEADER"), p.item(".TEXT"))
		}
		items = append(items, p.beyond())
	})
	got := c.fetch(strconv.Itoa(n), "("+strings.Join(items, " ")+")")[n]
	text := func(item string) string { return got[strings.Replace(item, ".PEEK", "", 1)].text }
	whole := text("BODY.PEEK[]")
	switch {
	case whole != strings.ReplaceAll(message, "\x00", "\x80"): // NUL: RFC 3501 9, CHAR8
		return fmt.Errorf("another message: %.500q", whole)
	case int64(len(whole)) != said.size:
		return fmt.Errorf("a size of %d", said.size)
	case text("BODY.PEEK[HEADER]")+text("BODY.PEEK[TEXT]") != whole:
		return errors.New("header and text are not the whole")
	}
	var err error
	said.root.each(func(p *toldPart) {
		if fault := p.fault(text); fault != "" && err == nil {
			err = fmt.Errorf("part %q: %s", p.section, fault)
		}
	})
	return err
}

// item asks for a text of the part.
func (p *toldPart) item(text string) string {
	if p.section == "" {
		text = strings.TrimPrefix(text, ".")
	}
	return "BODY.PEEK[" + p.section + text + "]"
}

// beyond asks for the first part that it does not have.
func (p *toldPart) beyond() string {
	of, n := p, len(p.parts)+1
	if p.inner != nil {
		if of = p.inner; len(of.parts) == 0 {
			n = 2 // a message that is no multipart has one part
		} else {
			n = len(of.parts) + 1
		}
	}
	return p.item("." + strconv.Itoa(n))
}

// fault says what is wrong with a part; text gives the octets of an item.
func (p *toldPart) fault(text func(item string) string) string {
	body := text(p.item(""))
	if p.section == "" {
		body = text("BODY.PEEK[TEXT]")
	}
	lines := int64(strings.Count(body, "\n"))
	switch {
	case p.size >= 0 && p.size != int64(len(body)):
		return fmt.Sprintf("%d octets, and %d are told", len(body), p.size)
	case p.lines >= 0 && p.lines != lines:
		return fmt.Sprintf("%d lines, and %d are told", lines, p.lines)
	case p.inner != nil && text(p.item(".HEADER"))+text(p.item(".TEXT")) != body:
		return "header and text are not the whole"
	case text(p.beyond()) != "":
		return "it has a part that is not told"
	}
	for _, part := range p.parts {
		octets := text(part.item(".MIME")) + text(part.item(""))
		_, rest, found := strings.Cut(body, octets)
		if !found {
			return fmt.Sprintf("part %q is no part of it", part.section)
		}
		body = rest
	}
	return ""
}

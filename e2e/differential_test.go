package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pair is our server and Dovecot with the same messages in INBOX.
type pair struct{ ours, theirs *imapClient }

func startPair(t *testing.T, messages []string) pair {
	t.Helper()
	s, d := startServer(t), startDovecot(t)
	p := pair{dialIMAP(t, s.port, s.account(t).user), dialIMAP(t, d.port, d.account(t).user)}
	for _, c := range []*imapClient{p.ours, p.theirs} {
		c.append("INBOX", messages)
		c.ok("SELECT INBOX")
	}
	return p
}

// TestFetchAsDovecot: odd messages have the structure and the texts that Dovecot gives
// them. The generator makes nothing of what docs/mime-differences.md lists, but for
// what listed takes away.
func TestFetchAsDovecot(t *testing.T) {
	o := newOdd(2)
	var messages []string
	for range 200 {
		messages = append(messages, o.message())
	}
	p := startPair(t, messages)
	ours, theirs := p.ours.tell(len(messages)), p.theirs.tell(len(messages))
	for i, m := range messages {
		a, b := ours[i], theirs[i]
		if a.err != nil || b.err != nil {
			t.Errorf("%v, %v in what is said of %q", a.err, b.err, m)
			continue
		}
		if closesTwice(m) {
			continue
		}
		if name := unequal(a.facts, b.facts); name != "" {
			t.Errorf("%s is %s, Dovecot says %s\n%q", name, a.facts[name], b.facts[name], m)
		} else if what := p.sections(i+1, a.root); what != "" {
			t.Errorf("%s\n%q", what, m)
		}
	}
}

// closesTwice reports whether two delimiters follow one another: "The line end before
// a delimiter belongs to it".
func closesTwice(m string) bool {
	lines := strings.Split(m, "\r\n")
	for i := 1; i < len(lines); i++ {
		if strings.HasPrefix(lines[i-1], "--") && strings.HasPrefix(lines[i], "--") {
			return true
		}
	}
	return false
}

// unequal is the name of a fact that differs, "" if there is none.
func unequal(a, b map[string]string) string {
	names := slices.Sorted(maps.Keys(a))
	names = append(names, slices.Sorted(maps.Keys(b))...)
	for _, name := range names {
		if x, y := a[name], b[name]; x != y && listed(name, x) != listed(name, y) {
			return name
		}
	}
	return ""
}

// listed takes from a fact what may differ in every message: blanks that come of folds,
// the order of parameters, and how a plain piece of one is encoded.
func listed(name, v string) string {
	if strings.HasSuffix(name, "params") || strings.HasSuffix(name, "disposition") {
		l := strings.Split(strings.ReplaceAll(v, "%20", " "), "; ")
		slices.Sort(l)
		return strings.Join(l, "; ")
	}
	if s, err := strconv.Unquote(v); err == nil {
		v = s
	}
	return strings.Join(strings.Fields(strings.TrimSuffix(v, "NIL")), " ")
}

// sections compares the texts of a message and of its parts, whole and cut, and what
// is said of parts that are not there. NIL and an empty text are the same, and so is
// the line end before a delimiter, which Dovecot takes from a header without a body.
func (p pair) sections(n int, root *toldPart) string {
	items := []string{"BODY.PEEK[]", "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]", "BODY.PEEK[TEXT]<3.7>", "BODY.PEEK[HEADER]<5.30>", "BODY.PEEK[99]", "BODY.PEEK[1.99]"}
	if root.each(func(p *toldPart) {
		if p.section != "" && len(items) < 60 {
			for _, text := range []string{"", ".MIME", ".HEADER", ".TEXT", ".HEADER.FIELDS (SUBJECT)", ".99"} {
				items = append(items, p.item(text))
			}
			items = append(items, p.item("")+"<1.5>")
		}
	}); strings.Contains(p.ours.section(n, "BODY.PEEK[HEADER]"), "\r\n\r\n") { // else there is no blank line to end it
		items = append(items, "BODY.PEEK[HEADER.FIELDS (From Subject X-Odd Content-Type)]", "BODY.PEEK[HEADER.FIELDS.NOT (From Subject X-Odd Content-Type)]<4.90>")
	}
	list := "(" + strings.Join(items, " ") + ")"
	ours, theirs := p.ours.fetch(strconv.Itoa(n), list)[n], p.theirs.fetch(strconv.Itoa(n), list)[n]
	for name, v := range ours {
		a, b := v.text, theirs[name].text
		if strings.Contains(name, ".MIME") {
			a, b = strings.TrimRight(a, "\r\n"), strings.TrimRight(b, "\r\n")
		}
		if a != b {
			return fmt.Sprintf("%s is %q, Dovecot says %q", name, v.text, theirs[name].text)
		}
	}
	if len(ours) != len(theirs) {
		return fmt.Sprintf("%d texts, and Dovecot gives %d", len(ours), len(theirs))
	}
	return ""
}

// section fetches one text.
func (c *imapClient) section(n int, item string) string {
	c.t.Helper()
	for _, v := range c.fetch(strconv.Itoa(n), item)[n] {
		return v.text
	}
	return ""
}

// TestThreadAndSortAsDovecot: random mailboxes are sorted and threaded as Dovecot does.
// Dates and addresses are such that it can read.
func TestThreadAndSortAsDovecot(t *testing.T) {
	o := newOdd(3)
	p := startPair(t, nil)
	commands := []string{"THREAD REFERENCES UTF-8 ALL", "THREAD ORDEREDSUBJECT UTF-8 ALL"}
	for _, keys := range []string{"SUBJECT", "FROM", "TO", "CC", "DATE", "SIZE", "REVERSE SUBJECT", "REVERSE DATE FROM", "SUBJECT REVERSE DATE", "TO CC REVERSE SIZE"} {
		commands = append(commands, "SORT ("+keys+") UTF-8 ALL")
	}
	for i := range 8 {
		box := fmt.Sprint("Box", i)
		var messages []string
		for n := range 25 {
			messages = append(messages, o.letter(n))
		}
		for _, c := range []*imapClient{p.ours, p.theirs} {
			c.ok("CREATE " + box)
			c.append(box, messages)
			c.ok("SELECT " + box)
		}
		for _, command := range commands {
			if ours, theirs := p.ours.ok(command), p.theirs.ok(command); strings.Join(ours, "\n") != strings.Join(theirs, "\n") {
				t.Errorf("%s\n    ours %q\nDovecot's %q\n%q", command, ours, theirs, messages)
			}
		}
	}
}

// letter is the n-th message of a mailbox in which some answer others.
func (o *odd) letter(n int) string {
	id := func() string { return fmt.Sprintf("<i%d@x>", o.IntN(28)) }
	address := func() string {
		return o.of("a@x", "B <b@x>", "\"c c\"@x", "A <z@y>", "g: m@x;", "g:;", "", "(c) d@x", "Äö <ä@x>", "joe", "<@r:b@x>", "a_b@x", "ab@x", "Ab@y", "\"[\"@x", "Joe Doe", "\"Joe\"")
	}
	subject := o.of("a", "Re: a", "[l] a", "Re: [l] a", "a (fwd)", "[fwd: a]", "[fwd: Re: [x] a]", "b", "Fwd: b", "FW:b", "re[2]: b", "Re : b", "[b]", "Re: [b]", "", "Re:",
		"[x][y] c", "[x] Re: [y] Fw: c (fwd) (fwd)", "[fwd: [fwd: c]]", "=?utf-8?q?Re=3A_c?=", "  c   d ", "Re: c\r\n d", "[a[b]] e", "[fwd: e] x", "Re-e: f", "äh", "ÄH", "Zz", "[", "[] a",
		"re: re: re: a", "[fwd: ]", "RE:FWD:Fw:\ta", "Re:[x]a", "Re [x]: a", "[ re: a ]", "_", "a_", "^a")
	date := o.of("Mon, 1 Jan 2024 00:00:00 +0000", "Mon, 1 Jan 2024 00:00:04 +0000", "1 Jan 2024 01:00:02 +0100", "31 Dec 2023 19:00:01 EST", "1 Jan 24 00:00 GMT", "Mon, 1 Jan 2024 00:00:03",
		"garbage", "", "1 Jan 2024 00:00:02 -0000", "Mon, (c) 1 Jan 2024 (d) 00:00:01 +0000", "32 Jan 2024 00:00:01 +0000", "1 January 2024 00:00:01 +0000", "1 Jan 2024 00:00:02 PST", "01 Jan 2024 00:00:05 UT")
	m := fmt.Sprintf("Subject: %s\r\nDate: %s\r\nFrom: %s\r\nTo: %s\r\nCc: %s\r\n", subject, date, address(), address(), address())
	if !o.once(8) {
		m += fmt.Sprintf("Message-ID: %s\r\n", o.of(fmt.Sprintf("<i%d@x>", n), fmt.Sprintf("<\"i%d\"@x>", n), id()))
	}
	if o.once(2) {
		m += "References: " + id() + o.some(4, func() string { return o.of(" ", "\r\n ", "") + id() }) + "\r\n"
	}
	if o.once(3) {
		m += "In-Reply-To: " + id() + " foo " + id() + "\r\n"
	}
	return m + "\r\n" + strings.Repeat("x", o.IntN(60)) + "\r\n"
}

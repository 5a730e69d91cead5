package search

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"postrider/mail"
)

// letter is a message as the threading algorithms see it.
type letter struct {
	id, inReplyTo string
	refs          []string
	subject       string // the base subject
	reply         bool
	minute        int
}

// wire writes it as a message.
func (l letter) wire() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Date: 5 Mar 2000 10:%02d:00 +0000\r\n", l.minute)
	if l.id != "" {
		fmt.Fprintf(&b, "Message-ID: <%s@x>\r\n", l.id)
	}
	if len(l.refs) > 0 {
		fmt.Fprintf(&b, "References: <%s@x>\r\n", strings.Join(l.refs, "@x>\r\n <"))
	}
	if l.inReplyTo != "" {
		fmt.Fprintf(&b, "In-Reply-To: <%s@x> (of Monday)\r\n", l.inReplyTo)
	}
	if l.reply {
		return b.String() + "Subject: Re: " + l.subject + "\r\n\r\n"
	}
	return b.String() + "Subject: " + l.subject + "\r\n\r\n"
}

// place is a message of the naive algorithm; n is -1 for a dummy.
type place struct {
	n        int
	letter   letter
	parent   *place
	children []*place
}

func (p *place) adopt(c *place) {
	c.orphan()
	c.parent = p
	p.children = append(p.children, c)
}

func (p *place) orphan() {
	if p.parent != nil {
		p.parent.children = slices.DeleteFunc(p.parent.children, func(c *place) bool { return c == p })
		p.parent = nil
	}
}

// descends reports whether p is below, or is, a.
func (p *place) descends(a *place) bool {
	for ; p != nil; p = p.parent {
		if p == a {
			return true
		}
	}
	return false
}

// head is who speaks for a thread: the message, or a dummy's first child.
func (p *place) head() *place {
	if p.n < 0 {
		return p.children[0]
	}
	return p
}

func byDate(a, b *place) int {
	a, b = a.head(), b.head()
	if a.letter.minute != b.letter.minute {
		return a.letter.minute - b.letter.minute
	}
	return a.n - b.n
}

// naiveReferences follows RFC 5256 3 sentence by sentence.
func naiveReferences(box []letter) []*place {
	all := naiveLinks(box)
	root := &place{n: -1}
	for _, p := range all { // (2)
		if p.parent == nil {
			root.adopt(p)
		}
	}
	naivePrune(root, true) // (3)
	for _, p := range root.children {
		if p.n < 0 { // (4)
			slices.SortFunc(p.children, byDate)
		}
	}
	slices.SortFunc(root.children, byDate)
	naiveMerge(root)
	naiveOrder(root) // (6)
	return root.children
}

// naiveLinks is step (1).
func naiveLinks(box []letter) []*place {
	var all []*place
	ids := map[string]*place{}
	for i, l := range box {
		p := &place{n: i, letter: l}
		all = append(all, p)
		if l.id != "" && ids[l.id] == nil {
			ids[l.id] = p
		}
	}
	for _, p := range slices.Clone(all) {
		refs := p.letter.refs
		if len(refs) == 0 && p.letter.inReplyTo != "" {
			refs = []string{p.letter.inReplyTo}
		}
		var last *place
		for _, id := range refs {
			r := ids[id]
			if r == nil {
				r = &place{n: -1}
				ids[id], all = r, append(all, r)
			}
			if last != nil && r.parent == nil && !last.descends(r) {
				last.adopt(r)
			}
			last = r
		}
		p.orphan()
		if last != nil && !last.descends(p) {
			last.adopt(p)
		}
	}
	return all
}

// naivePrune is step (3), below p.
func naivePrune(p *place, isRoot bool) {
	for again := true; again; {
		again = false
		for _, c := range slices.Clone(p.children) {
			if c.n >= 0 || isRoot && len(c.children) > 1 {
				continue
			}
			c.orphan()
			for _, grandchild := range slices.Clone(c.children) {
				p.adopt(grandchild)
			}
			again = true
		}
	}
	for _, c := range slices.Clone(p.children) {
		naivePrune(c, false)
	}
	if isRoot && slices.ContainsFunc(p.children, func(c *place) bool { return c.n < 0 && len(c.children) < 2 }) {
		naivePrune(p, true) // what was pruned below left a dummy with one child
	}
}

// naiveMerge is step (5).
func naiveMerge(root *place) {
	table := map[string]*place{}
	for _, p := range root.children {
		h, t := p.head().letter, table[p.head().letter.subject]
		switch {
		case h.subject == "":
		case t == nil, t.n >= 0 && (p.n < 0 || t.letter.reply && !h.reply):
			table[h.subject] = p
		}
	}
	for _, p := range slices.Clone(root.children) {
		h := p.head().letter
		t := table[h.subject]
		switch {
		case h.subject == "" || t == p:
		case t.n < 0 && p.n < 0:
			for _, c := range slices.Clone(p.children) {
				t.adopt(c)
			}
			p.orphan()
		case t.n < 0, h.reply && !t.letter.reply:
			t.adopt(p)
		default:
			both := &place{n: -1}
			root.adopt(both)
			both.adopt(t)
			both.adopt(p)
			table[h.subject] = both
		}
	}
}

func naiveOrder(p *place) {
	for _, c := range p.children {
		naiveOrder(c)
	}
	slices.SortFunc(p.children, byDate)
}

func drawPlaces(list []*place) string {
	var b strings.Builder
	for _, p := range list {
		b.WriteByte('(')
		if p.n >= 0 {
			fmt.Fprint(&b, p.n)
		}
		b.WriteString(drawPlaces(p.children) + ")")
	}
	return b.String()
}

// randomLetters is a mailbox of few identifiers and subjects, so that there are
// duplicates, loops, missing messages and threads of one subject.
func randomLetters(r *rand.Rand) []letter {
	box := make([]letter, 1+r.IntN(14))
	name := func() string { return fmt.Sprint("id", r.IntN(len(box)+3)) }
	subjects := []string{"a", "b", "c", ""}
	for i := range box {
		l := letter{id: fmt.Sprint("id", i), subject: subjects[r.IntN(4)], reply: r.IntN(2) == 0, minute: r.IntN(20)}
		switch r.IntN(8) {
		case 0:
			l.id = ""
		case 1:
			l.id = name()
		}
		for range r.IntN(5) * r.IntN(2) {
			l.refs = append(l.refs, name())
		}
		if r.IntN(3) == 0 {
			l.inReplyTo = name()
		}
		box[i] = l
	}
	return box
}

// TestThreadAsNaive: the references algorithm gives what the sentences of its RFC give.
func TestThreadAsNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(5256, 3))
	for range 4000 {
		letters := randomLetters(r)
		b := &box{}
		var hits []int
		for i, l := range letters {
			b.msgs, hits = append(b.msgs, l.wire()), append(hits, i)
		}
		got, err := Thread(t.Context(), mail.References, b, hits, options)
		if err != nil {
			t.Fatal(err)
		}
		if want := drawPlaces(naiveReferences(letters)); draw(got) != want {
			t.Fatalf("%+v\n got %s\nwant %s", letters, draw(got), want)
		}
	}
}

// TestThreadOfMissingMessages: a chain of messages that are not there, each with one
// that is, takes time and memory by its length, not by its square.
func TestThreadOfMissingMessages(t *testing.T) {
	b := &box{}
	var hits []int
	for i := range 50000 {
		b.msgs = append(b.msgs, fmt.Sprintf("Message-ID: <%d@x>\r\nReferences: <e%d@x> <e%d@x> <e%d@x>\r\n\r\n", i, i+2, i+1, i))
		hits = append(hits, i)
	}
	start := time.Now()
	if _, err := Thread(t.Context(), mail.References, b, hits, options); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 15*time.Second { // 40 s and 10 GB were it a square
		t.Errorf("%v", took)
	}
}

// TestFindAcrossBorders: a text is found wherever the pieces that are read end.
func TestFindAcrossBorders(t *testing.T) {
	r := rand.New(rand.NewPCG(5051, 1))
	letters := []string{"a", "b", " ", "\r\n", "ä", "a\u0308", "\u0323", "\u0308", "\u1100\u1161", "ß", "İ", "日", "😀", "ﬀ", "\xff", "\xe2\x82", "Ж"}
	text := func(n int) string {
		var b strings.Builder
		for range r.IntN(n) {
			b.WriteString(letters[r.IntN(len(letters))])
		}
		return b.String()
	}
	for range 500 {
		hay := strings.Repeat("x", r.IntN(2)*(16<<10-20)) + text(60)
		n := newNeedle(text(4))
		want := n.in(hay)
		for name, rd := range map[string]func() (bool, error){
			"whole":  func() (bool, error) { return inReader(n, strings.NewReader(hay)) },
			"octets": func() (bool, error) { return inReader(n, iotest.OneByteReader(strings.NewReader(hay))) },
			"halves": func() (bool, error) { return inReader(n, iotest.HalfReader(strings.NewReader(hay))) },
		} {
			if got, err := rd(); err != nil || got != want {
				t.Fatalf("%s: %q in %q: %v, %v, want %v", name, n.folded, hay[max(0, len(hay)-200):], got, err, want)
			}
		}
	}
}

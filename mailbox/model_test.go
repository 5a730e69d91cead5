package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/vfs/memfs"
)

// fact is what the model knows of a message: the text is its identity, but copies
// have the same.
type fact struct {
	text  string
	flags mail.Flags
	words string
}

// model is what the mailboxes should hold, and who looks at them.
type model struct {
	*site
	r       *rand.Rand
	boxes   []*box // a, b, and a again by another process
	clients []*client
	truth   map[string][]*fact // by name of the mailbox
	uids    map[string]map[mail.UID]string
	watched bool
	n       int
	log     []string
}

func newModel(t *testing.T, seed uint64) *model {
	r := rand.New(rand.NewPCG(seed, 2))
	w := newSite(t, memfs.Options{Grain: []time.Duration{1, 4 * time.Millisecond, time.Second}[r.IntN(3)]})
	m := &model{site: w, r: r, watched: r.IntN(2) == 0, truth: map[string][]*fact{}, uids: map[string]map[mail.UID]string{"a": {}, "b": {}}}
	w.fsync, w.small = r.IntN(4) > 0, r.IntN(2) == 0
	names := []string{"a", "b", "a"}
	var e []*eyes
	if m.watched {
		e = w.watch(names...)
	}
	for i, name := range names {
		var see *eyes
		if m.watched {
			see = e[i]
		}
		m.boxes = append(m.boxes, w.mustOpen(name, see))
	}
	for range 4 {
		m.clients = append(m.clients, newClient(m.boxes[r.IntN(3)]))
	}
	return m
}

// settled brings a mailbox up to date with all that happened outside.
func (m *model) settled(b *box) *mailbox.Snapshot {
	m.clock.advance(2 * time.Minute)
	if b.eyes != nil {
		b.eyes.Drained()
	}
	return b.refresh()
}

// pick is a message of a mailbox with its fact.
func (m *model) pick(b *box) (mailbox.Message, *fact, bool) {
	s := m.settled(b)
	if s.Len() == 0 {
		return mailbox.Message{}, nil, false
	}
	msg := s.Message(m.r.IntN(s.Len()))
	text, err := b.text(msg.UID)
	if err != nil {
		m.t.Fatalf("reading UID %d: %v", msg.UID, err)
	}
	for _, f := range m.truth[b.name] {
		if f.text == text && f.flags == msg.Flags && f.words == m.words(s, msg) {
			return msg, f, true
		}
	}
	m.t.Fatalf("the model does not have %q with %v %q in %s", text, msg.Flags, m.words(s, msg), b.name)
	return msg, nil, false
}

func (m *model) words(s *mailbox.Snapshot, msg mailbox.Message) string {
	return strings.Join(slices.Sorted(slices.Values(s.KeywordsOf(msg))), " ")
}

func (m *model) add(name string, f fact) { m.truth[name] = append(m.truth[name], &f) }

func (m *model) drop(name string, f *fact) {
	m.truth[name] = slices.DeleteFunc(m.truth[name], func(x *fact) bool { return x == f })
}

func (m *model) flags() mail.Flags { return mail.Flags(m.r.IntN(32)) }

var someWords = []string{"", "alpha", "beta", "alpha beta"}

// step does one thing at random.
func (m *model) step() error {
	b := m.boxes[m.r.IntN(len(m.boxes))]
	ctx := context.Background()
	m.n++
	if m.small && m.r.IntN(2) == 0 {
		if err := b.GoQuiet(ctx); err != nil {
			return err
		}
	}
	switch k := m.r.IntN(20); k {
	case 0, 1, 2:
		f := fact{body(m.n), m.flags(), someWords[m.r.IntN(4)]}
		m.note("append %d to %s", m.n, b.name)
		_, err := b.append(f.text, f.flags, strings.Fields(f.words)...)
		m.add(b.name, f)
		return err
	case 3, 4, 5:
		return m.store(ctx, b)
	case 6:
		return m.expunge(ctx, b)
	case 7, 8:
		return m.transfer(ctx, b, m.boxes[m.r.IntN(len(m.boxes))], k == 7)
	case 9, 10:
		m.note("deliver %d to %s", m.n, b.name)
		m.add(b.name, fact{text: body(m.n)})
		m.deliver(b.name, strings.ReplaceAll(body(m.n), "\r\n", "\n"))
		return nil
	case 11, 12, 13:
		return m.outside(b)
	case 14:
		m.note("claim %s", b.name)
		m.settled(b)
		_, s, err := b.ClaimRecent(ctx)
		return acknowledged(ctx, b, s, err)
	case 15:
		m.note("look at %s", b.name)
		if b.eyes != nil {
			b.eyes.some(m.r.IntN(3))
		}
		b.refresh()
	case 16:
		m.note("compact %s", b.name)
		switch m.r.IntN(3) {
		case 0:
			return b.CompactNow(ctx)
		case 1:
			return b.SnapshotAside(ctx, m.meanwhile)
		}
		return b.CompactAside(ctx, m.meanwhile)
	default:
		c := m.clients[m.r.IntN(len(m.clients))]
		m.note("sync")
		return c.sync(m.r.IntN(2) == 0)
	}
	return nil
}

// meanwhile is what happens while an index is compacted: anything but another
// compaction by the same process.
func (m *model) meanwhile() error {
	for m.r.IntN(3) > 0 {
		b := m.boxes[m.r.IntN(3)]
		var err error
		switch m.r.IntN(5) {
		case 0:
			err = m.store(context.Background(), b)
		case 1:
			err = m.expunge(context.Background(), b)
		case 2:
			err = m.outside(b)
		case 3:
			err = m.clients[m.r.IntN(len(m.clients))].sync(m.r.IntN(2) == 0)
		default:
			err = b.CompactNow(context.Background())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *model) note(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }

func (m *model) store(ctx context.Context, b *box) error {
	msg, f, ok := m.pick(b)
	if !ok {
		return nil
	}
	c := mail.FlagChange{Op: mail.FlagOp(m.r.IntN(3)), Flags: m.flags(), Keywords: strings.Fields(someWords[m.r.IntN(4)])}
	m.note("store %v in %s: UID %d", c, b.name, msg.UID)
	res, err := b.SetFlags(ctx, mail.SetOf(msg.UID), c, 0)
	if err = acknowledged(ctx, b, res.Snapshot, err); err != nil {
		return err
	}
	if len(res.Missing) > 0 {
		return fmt.Errorf("UID %d is missing", msg.UID)
	}
	f.flags = c.ApplyFlags(f.flags)
	f.words = wordsAfter(f.words, c)
	for _, cl := range m.clients {
		if cl.box == b && m.r.IntN(2) == 0 {
			return m.silent(cl, res.Snapshot, msg.UID, c)
		}
	}
	return nil
}

// silent has the client apply a change that it is not told of.
func (m *model) silent(cl *client, s *mailbox.Snapshot, uid mail.UID, c mail.FlagChange) error {
	seq, ok := cl.view.Seq(uid)
	if !ok {
		return nil
	}
	was, _ := cl.view.Message(seq)
	cl.view.Silence(s, mail.SetOf(uid), c)
	words := wordsAfter(strings.Join(slices.Sorted(slices.Values(cl.view.KeywordsAt(seq))), " "), c)
	cl.list[seq-1].flags = c.ApplyFlags(was.Flags).String() + " " + words
	return cl.sync(true)
}

func wordsAfter(words string, c mail.FlagChange) string {
	var out []string
	switch c.Op {
	case mail.AddFlags:
		out = slices.Concat(strings.Fields(words), c.Keywords)
	case mail.RemoveFlags:
		out = slices.DeleteFunc(strings.Fields(words), func(w string) bool { return slices.Contains(c.Keywords, w) })
	default:
		out = slices.Clone(c.Keywords)
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " ")
}

func (m *model) expunge(ctx context.Context, b *box) error {
	m.note("expunge %s", b.name)
	m.settled(b)
	s, _, err := b.Expunge(ctx, nil, true)
	m.truth[b.name] = slices.DeleteFunc(m.truth[b.name], func(f *fact) bool { return f.flags.Has(mail.Deleted) })
	return acknowledged(ctx, b, s, err)
}

func (m *model) transfer(ctx context.Context, from, to *box, move bool) error {
	if from.name == to.name {
		to = from // two processes do not meet in one command
	}
	msg, f, ok := m.pick(from)
	if !ok {
		return nil
	}
	m.settled(to)
	m.note("transfer (move %v) UID %d from %s to %s", move, msg.UID, from.name, to.name)
	do := mailbox.Copy
	if move {
		do = mailbox.Move
	}
	res, err := do(ctx, from.Mailbox, mail.SetOf(msg.UID), to.Mailbox)
	if err = acknowledged(ctx, to, res.DestSnapshot, err); err != nil {
		return err
	}
	if res.Source.Len() != 1 || res.Dest.Len() != 1 {
		return fmt.Errorf("%v went to %v", res.Source, res.Dest)
	}
	m.add(to.name, *f)
	if move {
		m.drop(from.name, f)
	}
	return acknowledged(ctx, from, res.SourceSnapshot, nil)
}

// outside is another program at work in the directories.
func (m *model) outside(b *box) error {
	msg, f, ok := m.pick(b)
	if !ok {
		return nil
	}
	sub := map[bool]string{true: "new", false: "cur"}[msg.New]
	dir, cur, name := m.dir(b.name+"/"+sub), m.dir(b.name+"/cur"), msg.Base+msg.Info
	switch m.r.IntN(4) {
	case 0:
		m.note("outside removes UID %d of %s", msg.UID, b.name)
		m.drop(b.name, f)
		return dir.Remove(name)
	case 1, 2:
		flags := m.flags()
		f.flags = flags
		letters := ""
		for i, l := range "DFRST" {
			if flags.Has([]mail.Flags{mail.Draft, mail.Flagged, mail.Answered, mail.Seen, mail.Deleted}[i]) {
				letters += string(l)
			}
		}
		m.note("outside renames UID %d of %s: %s", msg.UID, b.name, letters)
		return dir.Rename(name, cur, msg.Base+":2,"+letters)
	default:
		f2 := fact{text: body(m.n), flags: f.flags}
		if name == msg.Base+":2,DFRST" {
			return nil
		}
		m.note("outside doubles the name of UID %d of %s", msg.UID, b.name)
		f2.flags = mail.AllFlags
		m.add(b.name, f2)
		file, err := cur.OpenFile(msg.Base+":2,DFRST", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		_, err = file.Write([]byte(f2.text))
		return errors.Join(err, file.Close())
	}
}

// verify compares everything with the model, and every client with its mailbox.
func (m *model) verify() error {
	var errs []error
	for _, b := range m.boxes {
		s := m.settled(b)
		want := map[fact]int{}
		for _, f := range m.truth[b.name] {
			want[*f]++
		}
		for _, msg := range s.All(0) {
			text, err := b.text(msg.UID)
			if err != nil {
				return fmt.Errorf("%s: UID %d: %w", b.name, msg.UID, err)
			}
			want[fact{text, msg.Flags, m.words(s, msg)}]--
			if was, ok := m.uids[b.name][msg.UID]; ok && was != text {
				errs = append(errs, fmt.Errorf("%s: UID %d was %q, is %q", b.name, msg.UID, was, text))
			}
			m.uids[b.name][msg.UID] = text
		}
		for f, n := range want {
			if n != 0 {
				errs = append(errs, fmt.Errorf("%s: %d too few of %q %v %q", b.name, n, f.text, f.flags, f.words))
			}
		}
	}
	for _, c := range m.clients {
		if err := c.sync(true); err != nil {
			return err
		}
		s := c.box.Snapshot()
		for i, k := range c.list {
			if i >= s.Len() || k.uid != s.UID(i) || k.flags != flagsOf(s, s.Message(i)) {
				errs = append(errs, fmt.Errorf("a client of %s believes %v", c.box.name, c.list))
				break
			}
		}
		if len(c.list) != s.Len() {
			errs = append(errs, fmt.Errorf("a client of %s has %d messages of %d", c.box.name, len(c.list), s.Len()))
		}
	}
	return errors.Join(errs...)
}

// Random operations by several sessions of two processes and by other programs: the
// mailboxes hold what the model says, and every client that only applies what it was
// told sees the same.
func TestModel(t *testing.T) {
	runs := 150
	if testing.Short() {
		runs = 20
	}
	for seed := range uint64(runs) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := newModel(t, seed)
			fail := func(err error) {
				t.Fatalf("%v\nwatched %v\n%s", err, m.watched, strings.Join(m.log, "\n"))
			}
			for range 60 {
				if err := m.step(); err != nil {
					fail(err)
				}
				if m.r.IntN(6) == 0 {
					if err := m.verify(); err != nil {
						fail(err)
					}
				}
			}
			if err := m.verify(); err != nil {
				fail(err)
			}
			for _, b := range m.boxes {
				b.done()
			}
		})
	}
}

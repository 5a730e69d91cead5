package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// summary is what a client sees of a mailbox.
func summary(s *mailbox.Snapshot) string {
	var b strings.Builder
	fmt.Fprintf(&b, "validity %d next %d recent from %d\n", s.UIDValidity(), s.UIDNext(), s.RecentFrom())
	for _, m := range s.All(0) {
		fmt.Fprintf(&b, "%d %s \"%v\" %v\n", m.UID, m.Base, m.Flags, s.KeywordsOf(m))
	}
	return b.String()
}

// left is a folder as another server left it.
func left(t *testing.T) *site {
	w := newSite(t, memfs.Options{})
	w.put("a/cur", "100.one,S=9:2,FS", "Subject: 1\n\n1\n")
	w.put("a/cur", "101.two,S=9:2,RSab", "Subject: 2\n\n2\n")
	w.put("a/cur", "99.stranger:2,", "Subject: 3\n\n3\n")
	w.put("a/cur", "98.stranger:2,a", "Subject: 4\n\n4\n")
	w.put("a/new", "102.three", "Subject: 5\n\n5\n")
	w.put("a/cur", "103.resized,S=11:2,", "Subject: 6\n\n6\n")
	w.past = func() (*mailbox.Past, error) {
		return &mailbox.Past{
			Software: "Other", UIDValidity: 795384139, UIDNext: 50,
			Messages: map[string]mailbox.PastMessage{
				"100.one,S=9": {UID: 7, Keywords: []string{"Work", "$Forwarded"}}, "101.two,S=9": {UID: 3}, "102.three": {UID: 12, Keywords: []string{"work", "bad word"}},
				"103.resized,S=12": {UID: 13}, "104.gone": {UID: 14}, "99.stranger": {Keywords: []string{"Late"}},
			},
			Shown: func(name string) []string {
				if _, info, _ := strings.Cut(name, ":2,"); strings.Contains(info, "a") {
					return []string{"Letter"}
				}
				return nil
			},
		}, nil
	}
	return w
}

const taken = `validity 795384139 next 53 recent from 50
3 101.two,S=9 "\Answered \Seen" [Letter]
7 100.one,S=9 "\Flagged \Seen" [Work $Forwarded]
12 102.three "" [Work]
50 98.stranger "" [Letter]
51 99.stranger "" [Late]
52 103.resized,S=11 "" []
`

// What another server knew is taken over once: UIDs by the exact base name, keywords,
// and who had not been seen before comes above, in the order of names, and is recent.
func TestTakeOver(t *testing.T) {
	w := left(t)
	b := w.mustOpen("a", nil)
	want := summary(b.Snapshot())
	if got := want; got != taken {
		t.Errorf("got\n%s\nwant\n%s", got, taken)
	}
	if from, err := b.Adopted(t.Context()); from != "Other 795384139" || err != nil {
		t.Errorf("taken over from %q, %v", from, err)
	}
	b.done()
	w.past = func() (*mailbox.Past, error) { t.Error("asked again"); return nil, nil }
	b = w.mustOpen("a", nil)
	if got := summary(b.Snapshot()); got != want {
		t.Errorf("opened again it is\n%s\nwant\n%s", got, want)
	}
	if uid := b.mustAppend(body(1), 0); uid != 53 {
		t.Errorf("the next UID is %d", uid)
	}
	b.done()
}

// The names of the files stay as they are.
func TestTakeOverNames(t *testing.T) {
	w := left(t)
	before := append(w.list("a/cur"), w.list("a/new")...)
	w.mustOpen("a", nil).done()
	after := append(w.list("a/cur"), w.list("a/new")...)
	slices.Sort(before)
	slices.Sort(after)
	if !slices.Equal(before, after) {
		t.Errorf("from %q to %q", before, after)
	}
}

// What cannot be gone on with is refused, and the mailbox has numbers of its own.
func TestTakeOverRefused(t *testing.T) {
	for name, past := range map[string]mailbox.Past{
		"UIDVALIDITY 0":      {UIDNext: 2},
		"UIDVALIDITY absurd": {UIDValidity: 1<<32 - 1, UIDNext: 2},
		"UIDNEXT absurd":     {UIDValidity: 5, UIDNext: 1<<32 - 1},
	} {
		w := left(t)
		w.past = func() (*mailbox.Past, error) { return &past, nil }
		b := w.mustOpen("a", nil)
		if s := b.Snapshot(); s.UIDValidity() != 1001 || s.UIDNext() != 7 || s.Len() != 6 {
			t.Errorf("%s: got\n%s", name, summary(s))
		}
		b.done()
	}
}

// While it cannot be known what another server knew, the mailbox is not opened, and
// nothing is decided.
func TestTakeOverUnknown(t *testing.T) {
	w := left(t)
	known := w.past
	w.past = func() (*mailbox.Past, error) { return nil, syscall.EIO }
	if _, err := w.open("a", nil); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
	w.past = known
	b := w.mustOpen("a", nil)
	if got := summary(b.Snapshot()); got != taken {
		t.Errorf("got\n%s", got)
	}
	b.done()
}

// Of two messages with one UID the first keeps it; a UID above UIDNEXT raises it.
func TestTakeOverContradictions(t *testing.T) {
	w := left(t)
	w.past = func() (*mailbox.Past, error) {
		return &mailbox.Past{UIDValidity: 5, UIDNext: 2, Messages: map[string]mailbox.PastMessage{
			"100.one,S=9": {UID: 7}, "101.two,S=9": {UID: 7}, "102.three": {UID: 90},
		}}, nil
	}
	b := w.mustOpen("a", nil)
	s := b.Snapshot()
	for base, want := range map[string]mail.UID{"100.one,S=9": 7, "102.three": 90, "98.stranger": 91, "99.stranger": 92, "101.two,S=9": 93, "103.resized,S=11": 94} {
		m, ok := s.Lookup(want)
		if !ok || m.Base != base {
			t.Errorf("UID %d is %q, want %q", want, m.Base, base)
		}
	}
	b.done()
}

// More keywords than a mailbox can have are dropped, not the messages.
func TestTakeOverManyKeywords(t *testing.T) {
	w := left(t)
	many := make([]string, 5000)
	for i := range many {
		many[i] = fmt.Sprintf("k%d", i)
	}
	w.past = func() (*mailbox.Past, error) {
		return &mailbox.Past{UIDValidity: 5, UIDNext: 2, Messages: map[string]mailbox.PastMessage{"100.one,S=9": {UID: 1, Keywords: many}}}, nil
	}
	b := w.mustOpen("a", nil)
	if m, ok := b.Snapshot().Lookup(1); !ok || len(b.Snapshot().KeywordsOf(m)) != 4096 || b.Snapshot().Len() != 6 {
		t.Errorf("got %d keywords in %d messages", len(b.Snapshot().KeywordsOf(m)), b.Snapshot().Len())
	}
	b.done()
}

// After a power loss at any operation the next opening takes over the same: nothing
// was decided by half.
func TestTakeOverCrash(t *testing.T) {
	w := left(t)
	for i := range 40 {
		w.put("a/cur", fmt.Sprintf("200.%02d:2,S", i), body(i))
	}
	known := w.past
	w.past = func() (*mailbox.Past, error) {
		p, err := known()
		for i := range 20 {
			p.Messages[fmt.Sprintf("200.%02d", 39-i)] = mailbox.PastMessage{UID: mail.UID(20 + i), Keywords: []string{fmt.Sprint("k", i%3)}}
		}
		return p, err
	}
	var all []remains
	w.over = faultfs.Wrap(w.fs, func(op faultfs.Op) error {
		switch op.Kind {
		case "stat", "open", "list", "statself", "readat", "read", "opendir", "lock":
			return nil
		}
		for how, keep := range keepers(uint64(len(all))) {
			all = append(all, remains{fs: w.fs.CrashClone(keep), where: fmt.Sprintf("before %s %s, kept: %s", op.Kind, op.Path, how)})
		}
		return nil
	})
	b := w.mustOpen("a", nil)
	want := summary(b.Snapshot())
	b.durable(b.Snapshot())
	b.done()
	if len(all) < 6*5 {
		t.Fatalf("only %d crashes", len(all))
	}
	for _, r := range all {
		again := w.on(r.fs)
		b, err := again.open("a", nil)
		if err != nil {
			t.Errorf("%s: %v", r.where, err)
			continue
		}
		if got := sameNext(b.Snapshot(), want); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", r.where, got, want)
		}
		b.done()
	}
}

// sameNext is a summary with the UIDNEXT of another one, if that is not above it: what
// the account noted before a failure costs numbers, and no UID.
func sameNext(s *mailbox.Snapshot, other string) string {
	var v, next mail.UID
	fmt.Sscanf(other, "validity %d next %d ", &v, &next)
	if s.UIDNext() < next {
		return summary(s)
	}
	return strings.Replace(summary(s), fmt.Sprintf("next %d ", s.UIDNext()), fmt.Sprintf("next %d ", next), 1)
}

// A failing operation, whichever it is, costs an opening at most, and a mailbox that
// is opened is whole.
func TestTakeOverFailingOperation(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
		for n := 1; ; n++ {
			w := left(t)
			failed, armed, seen := "", true, 0
			w.over = faultfs.Wrap(w.fs, func(op faultfs.Op) error {
				if seen++; armed && seen == n {
					failed = op.Kind + " " + op.Path
					return errno
				}
				return nil
			})
			for try := range 2 {
				b, err := w.open("a", nil)
				armed = false
				if err != nil {
					if try == 1 {
						t.Errorf("%s: the second opening fails: %v", failed, err)
					}
					continue
				}
				if got := sameNext(b.Snapshot(), taken); got != taken {
					t.Errorf("%s, opening %d: got\n%s", failed, try+1, got)
				}
				b.Close()
				b.folder.Close()
			}
			if failed == "" {
				break
			}
		}
	}
}

// More messages than a batch of any other reading has.
func TestTakeOverLarge(t *testing.T) {
	const n = 25_000
	w := newSite(t, memfs.Options{})
	past := &mailbox.Past{UIDValidity: 9, UIDNext: 2 * n, Messages: map[string]mailbox.PastMessage{}}
	for i := range n {
		base := fmt.Sprintf("%d.x", 1_000_000+i)
		w.put("a/cur", base+":2,", "x")
		past.Messages[base] = mailbox.PastMessage{UID: mail.UID(n - i)}
	}
	w.past = func() (*mailbox.Past, error) { return past, nil }
	b := w.mustOpen("a", nil)
	s := b.Snapshot()
	if s.Len() != n || s.UIDNext() != 2*n {
		t.Fatalf("%d messages, UIDNEXT %d", s.Len(), s.UIDNext())
	}
	for i, m := range s.All(0) {
		if m.UID != mail.UID(i+1) || m.Base != fmt.Sprintf("%d.x", 1_000_000+n-1-i) {
			t.Fatalf("message %d is %d %s", i, m.UID, m.Base)
		}
	}
	b.done()
}

// blinking is a folder of which the first reading misses a file.
type blinking struct {
	*maildir.Folder
	missed string
	scans  int
}

func (f *blinking) Scan(newToo, curToo bool, yield func(mail.MessageFile) bool) error {
	f.scans++
	first := f.scans == 1
	return f.Folder.Scan(newToo, curToo, func(m mail.MessageFile) bool { return first && m.Base == f.missed || yield(m) })
}

// A file that a reading misses keeps its UID.
func TestTakeOverMissed(t *testing.T) {
	w := left(t)
	f, err := maildir.OpenFolder(w.dir("a"), maildir.Options{Unique: w.unique, Now: w.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mailbox.Open(context.Background(), mailbox.Config{Folder: &blinking{Folder: f, missed: "101.two,S=9"}, Predecessor: w.past, Fsync: true, Now: w.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	if got := summary(m.Snapshot()); got != taken {
		t.Errorf("got\n%s", got)
	}
	if err := errors.Join(m.Check(t.Context()), m.Close(), f.Close()); err != nil {
		t.Error(err)
	}
}

// Where a journal was lost of which nothing is left, UIDs go on above what the account
// noted: some were given that the other server's files do not know.
func TestTakeOverAfterLoss(t *testing.T) {
	w := left(t)
	b := w.mustOpen("a", nil)
	uid := b.mustAppend(body(1), 0)
	b.done()
	dir := w.dir("a/postrider")
	for _, name := range w.list("a/postrider") {
		if err := dir.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	w.put("a/postrider", "journal", "no journal at all")
	b = w.mustOpen("a", nil)
	s := b.Snapshot()
	if m, ok := s.Lookup(7); !ok || m.Base != "100.one,S=9" || s.UIDValidity() != 795384139 {
		t.Errorf("got\n%s", summary(s))
	}
	if m, ok := s.Lookup(uid); ok {
		t.Errorf("UID %d is %s now", uid, m.Base)
	}
	if s.UIDNext() <= uid+1000 || s.Len() != 7 {
		t.Errorf("%d messages, UIDNEXT %d", s.Len(), s.UIDNext())
	}
	b.done()
}

// Where the journal of an open mailbox is taken away, every message keeps its UID, and
// no UID comes back for another.
func TestTakeOverWhileOpen(t *testing.T) {
	w := left(t)
	b := w.mustOpen("a", nil)
	before := b.Snapshot()
	dir := w.dir("a/postrider")
	for _, name := range w.list("a/postrider") {
		if err := dir.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	uid, err := b.append(body(1), 0)
	if err != nil {
		t.Fatal(err)
	}
	s := b.Snapshot()
	if m, ok := s.Lookup(7); !ok || m.Base != "100.one,S=9" || s.UIDValidity() != 795384139 || s.Len() != 7 {
		t.Errorf("the appended message has UID %d\n%s", uid, summary(s))
	}
	for _, was := range before.All(0) {
		if m, ok := s.Lookup(was.UID); ok && m.Base != was.Base {
			t.Errorf("UID %d was %s and is %s", was.UID, was.Base, m.Base)
		}
	}
	b.done()
	b = w.mustOpen("a", nil)
	if got := summary(b.Snapshot()); got != summary(s) {
		t.Errorf("opened again it is\n%s", got)
	}
	b.done()
}

// What the account knows of the mailbox's own numbers counts: UIDs go on above them,
// and an older list of another server is refused.
func TestTakeOverMarks(t *testing.T) {
	for _, c := range []struct {
		own, validity mail.UIDValidity
		next, next6   mail.UID // UIDNEXT before and after
	}{
		{795384139, 795384139, 77, 80}, // three are new
		{795384138, 795384139, 77, 53},
		{795384140, 795384140, 77, 83}, // all six are
	} {
		w := left(t)
		w.config = func(m *mailbox.Config, _ *maildir.Folder) {
			m.Floor = func() (mailbox.Marks, error) { return mailbox.Marks{UIDValidity: c.own, UIDNext: c.next}, nil }
		}
		b := w.mustOpen("a", nil)
		if s := b.Snapshot(); s.UIDValidity() != c.validity || s.UIDNext() != c.next6 || s.Len() != 6 {
			t.Errorf("own %d: got\n%s", c.own, summary(s))
		}
		b.done()
	}
}

// Where the other server runs, a message that it numbers while we take over keeps that
// UID, and those that we number are in its list at once.
func TestTakeOverLive(t *testing.T) {
	w := registered(t, mailbox.RegisterLive, memfs.Options{})
	c := newCourier(w, "a")
	for i := range 3 {
		w.deliver("a", body(i))
	}
	c.scan(true)
	with := w.config
	asked := 0
	w.config = func(o *mailbox.Config, f *maildir.Folder) {
		with(o, f)
		o.Validity = func() (mail.UIDValidity, error) { return 0, errors.New("it has one") }
		o.Predecessor = func() (*mailbox.Past, error) {
			db, err := f.ReadUIDDB()
			past := &mailbox.Past{UIDValidity: db.Validity, UIDNext: db.Next, Messages: map[string]mailbox.PastMessage{}}
			for uid, base := range db.All() {
				past.Messages[base] = mailbox.PastMessage{UID: uid}
			}
			if asked++; asked == 1 {
				w.deliver("a", body(3))
				c.scan(true)
				w.deliver("a", body(4)) // numbered by nobody
			}
			return past, err
		}
	}
	b := w.mustOpen("a", nil)
	s := b.Snapshot()
	if asked != 2 || s.Len() != 5 {
		t.Fatalf("asked %d times, %d messages", asked, s.Len())
	}
	list := listText(t, w)
	for _, m := range s.All(0) {
		if uid, ok := c.uids[m.Base]; ok && mail.UID(uid) != m.UID {
			t.Errorf("%s has UID %d for us, %d for the other server", m.Base, m.UID, uid)
		}
		if !strings.Contains(list, fmt.Sprintf("\n%d %s\n", m.UID, m.Base)) {
			t.Errorf("%d %s is missing in the list\n%s", m.UID, m.Base, list)
		}
	}
	agree(t, b, c)
	b.done()
}

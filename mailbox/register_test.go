package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs/memfs"
)

// files are a folder's files of Courier's, as a mailbox wants them.
type files struct{ *maildir.Folder }

func (f files) Lock(ctx context.Context) (func(), error) { return f.LockCourier(ctx) }
func (f files) Stamp() (string, error)                   { return f.UIDDBStamp() }
func (f files) Forget() error                            { return f.ForgetUIDDB() }
func (f files) Keywords() (map[string][]string, error)   { return f.ReadKeywords() }

func (f files) Read() (mail.UIDValidity, mail.UID, iter.Seq2[mail.UID, string], error) {
	db, err := f.ReadUIDDB()
	if errors.Is(err, maildir.ErrUIDDB) {
		err = errors.Join(mailbox.ErrRegister, err)
	}
	return db.Validity, db.Next, db.All(), err
}

func (f files) Stage(v mail.UIDValidity, next mail.UID, list iter.Seq2[mail.UID, string]) (mailbox.StagedRegister, error) {
	return f.StageUIDDB(v, next, list)
}

// registered is a site whose mailboxes keep a register.
func registered(t testing.TB, mode mailbox.RegisterMode, o memfs.Options) *site {
	w := newSite(t, o)
	w.config = func(c *mailbox.Config, f *maildir.Folder) { c.Register, c.RegisterMode = files{f}, mode }
	return w
}

// shared is a folder that Postrider made, with a register, and Courier in it.
func shared(t testing.TB, w *site) (*box, *courier) {
	t.Helper()
	b := w.mustOpen("a", nil)
	if err := b.ExportRegister(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b, newCourier(w, "a")
}

// seen is what a client of the mailbox sees, in the form of courier.state.
func (b *box) seen() string {
	s := b.refresh()
	var lines []string
	for _, msg := range s.All(0) {
		_, letters, _ := strings.Cut(msg.Info, ":2,")
		words := slices.Clone(s.KeywordsOf(msg))
		slices.Sort(words)
		lines = append(lines, fmt.Sprintf("%010d %s [%s] %s", msg.UID, msg.Base, letters, strings.Join(words, ",")))
	}
	return courierState(s, lines)
}

// agree has both look until nothing is new, and compares what they see.
func agree(t testing.TB, b *box, c *courier) {
	t.Helper()
	c.scan(true)
	b.refresh()
	b.w.clock.advance(3 * time.Minute) // what hid behind changes of ours is found now
	ours := b.seen()
	c.scan(true)
	if theirs := c.state(); ours != theirs {
		t.Fatalf("we see\n%s\nCourier sees\n%s", ours, theirs)
	}
	if again := b.seen(); again != ours {
		t.Fatalf("we saw\n%s\nand see\n%s", ours, again)
	}
}

// changed is a set after a STORE.
func changed(set string, c mail.FlagChange) []string {
	now := map[string]bool{}
	for _, w := range strings.Split(set, ",") {
		now[w] = w != "" && c.Op != mail.ReplaceFlags
	}
	for _, w := range c.Keywords {
		now[w] = c.Op != mail.RemoveFlags
	}
	maps.DeleteFunc(now, func(_ string, there bool) bool { return !there })
	return slices.Sorted(maps.Keys(now))
}

func words(op mail.FlagOp, w ...string) mail.FlagChange { return mail.FlagChange{Op: op, Keywords: w} }

func (b *box) setWords(uid mail.UID, w ...string) {
	b.w.t.Helper()
	res, err := b.SetFlags(context.Background(), mail.UIDSet{{First: uid, Last: uid}}, words(mail.AddFlags, w...), 0)
	if err != nil {
		b.w.t.Fatal(err)
	}
	b.durable(res.Snapshot)
}

// Both change the same folder, one after the other, in every way. They agree, and no
// UID ever changes or means two messages: courier.scan and told say so.
func TestLiveRegisterModel(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { liveModel(t, seed) })
	}
}

func liveModel(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	w := registered(t, mailbox.RegisterLive, memfs.Options{Grain: []time.Duration{1, 4 * time.Millisecond, time.Second}[r.IntN(3)]})
	b, c := shared(t, w)
	c.scan(true)
	told := map[mail.UID]string{}
	look := func() *mailbox.Snapshot {
		s := b.refresh()
		b.durable(s)
		for _, msg := range s.All(0) {
			if was, ok := told[msg.UID]; ok && was != msg.Base {
				t.Fatalf("UID %d was %s and is %s", msg.UID, was, msg.Base)
			}
			told[msg.UID] = msg.Base
		}
		return s
	}
	pick := func(s *mailbox.Snapshot) mail.UIDSet {
		uid := s.UID(r.IntN(s.Len()))
		return mail.UIDSet{{First: uid, Last: uid}}
	}
	ctx := t.Context()
	kw := []string{"$Junk", "Later", "Work"}
	truth := map[string]string{} // keywords by base name: who came last wins
	know := func(base string, words []string) { truth[base] = strings.Join(words, ",") }
	for range 120 {
		w.clock.advance(time.Duration(r.IntN(4000)) * time.Millisecond)
		if r.IntN(40) == 0 {
			w.clock.advance(time.Hour)
		}
		n := r.IntN(1000)
		switch r.IntN(14) {
		case 0, 1:
			w.deliver("a", body(n))
		case 2:
			know(c.append(body(n), []string{"", "S", "FS"}[n%3], kw[:n%3]...), kw[:n%3])
		case 3:
			uid := b.mustAppend(body(n), mail.Flags(n)&mail.Seen, kw[:n%3]...)
			msg, _ := b.Snapshot().Lookup(uid)
			know(msg.Base, kw[:n%3])
		case 4:
			if base := c.some(n); base != "" {
				c.setFlags(base, []string{"", "S", "FS", "RST"}[n%4])
			}
		case 5:
			if base := c.some(n); base != "" {
				c.setWords(base, kw[:n%4]...)
				know(base, kw[:n%4])
			}
		case 6:
			if base := c.some(n); base != "" {
				c.expunge(base)
			}
		case 7, 8:
			if s := look(); s.Len() > 0 {
				change := mail.FlagChange{Op: mail.FlagOp(n % 3), Flags: mail.Flags(n) & mail.AllFlags, Keywords: kw[:n%4]}
				uids := pick(s)
				msg, _ := s.Lookup(uids[0].First)
				res, err := b.SetFlags(ctx, uids, change, 0)
				if err != nil {
					t.Fatal(err)
				}
				if len(res.Missing) == 0 { // else Courier has removed it, within a grain of ours
					know(msg.Base, changed(truth[msg.Base], change))
				}
			}
		case 9:
			if s := look(); s.Len() > 0 {
				if _, _, err := b.Expunge(ctx, pick(s), false); err != nil {
					t.Fatal(err)
				}
			}
		case 10:
			if s := look(); s.Len() > 0 {
				uids := pick(s)
				res, err := mailbox.Copy(ctx, b.Mailbox, uids, b.Mailbox)
				if errors.Is(err, mailbox.ErrVanished) {
					break // Courier has removed it, within a grain of ours
				}
				if err != nil {
					t.Fatal(err)
				}
				from, _ := s.Lookup(uids[0].First)
				to, _ := res.DestSnapshot.Lookup(res.Dest[0].First)
				truth[to.Base] = truth[from.Base]
			}
		case 11:
			c.scan(n%3 > 0)
		case 12:
			look()
		case 13:
			b.done()
			b = w.mustOpen("a", nil)
		}
	}
	agree(t, b, c)
	look()
	for base, words := range c.words {
		if got := slices.Sorted(slices.Values(words)); strings.Join(got, ",") != truth[base] {
			t.Errorf("%s has the keywords %q, want %q", base, got, truth[base])
		}
	}
	for base := range c.uids {
		if truth[base] != "" && c.words[base] == nil {
			t.Errorf("%s has no keywords, want %q", base, truth[base])
		}
	}
	bases := map[string]mail.UID{}
	for uid, base := range told {
		if was, twice := bases[base]; twice {
			t.Errorf("%s had the UIDs %d and %d", base, was, uid)
		}
		bases[base] = uid
	}
	for uid, base := range c.told {
		if was, ok := told[mail.UID(uid)]; ok && was != base {
			t.Errorf("UID %d is %s for us, %s for Courier", uid, was, base)
		}
		if was, ok := bases[base]; ok && was != mail.UID(uid) {
			t.Errorf("%s has UID %d for us, %d for Courier", base, was, uid)
		}
	}
	b.done()
}

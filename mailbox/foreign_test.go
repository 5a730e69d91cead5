package mailbox_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"postrider/mail"
	"postrider/vfs/memfs"
)

// What other programs do to files: each message that is there still keeps its UID, with
// a watch and without, seen by the process that has the mailbox open and by the next.

// A deed is something that another program does to the mailbox a, which holds the
// messages 1 to 5 in cur and 6 in new.
type deed struct {
	name string
	do   func(f *fingers)
	gone mail.UIDSet // those that may be gone, or have a new UID
	more int         // messages that come on top
}

// fingers are another program's.
type fingers struct {
	w   *site
	box *box
}

// at is where the file of a message lies.
func (f *fingers) at(uid mail.UID) (path, name string) {
	m, ok := f.box.Snapshot().Lookup(uid)
	if !ok {
		f.w.t.Fatalf("no UID %d", uid)
	}
	if m.New {
		return "a/new", m.Base + m.Info
	}
	return "a/cur", m.Base + m.Info
}

func (f *fingers) base(uid mail.UID) string {
	m, _ := f.box.Snapshot().Lookup(uid)
	return m.Base
}

func (f *fingers) mv(uid mail.UID, path, name string) {
	f.w.t.Helper()
	dir, old := f.at(uid)
	from, to := f.w.dir(dir), f.w.dir(path)
	if err := errors.Join(from.Rename(old, to, name), from.Sync(), to.Sync()); err != nil {
		f.w.t.Fatal(err)
	}
}

func (f *fingers) link(uid mail.UID, path, name string) {
	f.w.t.Helper()
	dir, old := f.at(uid)
	to := f.w.dir(path)
	if err := errors.Join(f.w.dir(dir).Link(old, to, name), to.Sync()); err != nil {
		f.w.t.Fatal(err)
	}
}

func (f *fingers) rm(uid mail.UID) {
	f.w.t.Helper()
	dir, name := f.at(uid)
	if err := errors.Join(f.w.dir(dir).Remove(name), f.w.dir(dir).Sync()); err != nil {
		f.w.t.Fatal(err)
	}
}

func (f *fingers) touch(uid mail.UID, to time.Time) {
	f.w.t.Helper()
	dir, name := f.at(uid)
	if err := f.w.dir(dir).SetTimes(name, to); err != nil {
		f.w.t.Fatal(err)
	}
}

func deeds() []deed {
	one := mail.SetOf[mail.UID](3)
	names := func(info string) func(*fingers) {
		return func(f *fingers) { f.mv(3, "a/cur", f.base(3)+info) }
	}
	return []deed{
		{"deleted", func(f *fingers) { f.rm(3) }, one, 0},
		{"flags by mv", names(":2,FS"), nil, 0},
		{"flags by mv out of new", func(f *fingers) { f.mv(6, "a/cur", f.base(6)+":2,S") }, nil, 0},
		{"moved from new to cur as it is", func(f *fingers) { f.mv(6, "a/cur", f.base(6)) }, nil, 0},
		{"moved back to new", func(f *fingers) { f.mv(3, "a/new", f.base(3)) }, nil, 0},
		{"no info", names(""), nil, 0},
		{"an empty info", names(":"), nil, 0},
		{"info of another kind", names(":1,odd"), nil, 0},
		{"unknown flags", names(":2,FQSXZabc"), nil, 0},
		{"flags twice and out of order", names(":2,SSFFD"), nil, 0},
		{"more after the flags", names(":2,S,x=y"), nil, 0},
		{"a blank in the flags", names(":2, S"), nil, 0},
		{"CR and LF in the flags", names(":2,S\r\n"), nil, 0},
		{"no UTF-8 in the flags", names(":2,S\xff\xfe"), nil, 0},
		{"renamed", func(f *fingers) { f.mv(3, "a/cur", "1.another.host:2,S") }, one, 0},
		{"renamed with CR, LF and blanks", func(f *fingers) { f.mv(3, "a/cur", "1. an\r\nother\t:2,S") }, one, 0},
		{"renamed to no UTF-8", func(f *fingers) { f.mv(3, "a/cur", "1.\xff\xfe\x80.host:2,S") }, one, 0},
		{"renamed to 255 octets", func(f *fingers) { f.mv(3, "a/cur", strings.Repeat("x", 251)+":2,S") }, one, 0},
		{"moved to another folder", func(f *fingers) { f.mv(3, "b/cur", f.base(3)+":2,S") }, one, 0},
		{"moved away and back", func(f *fingers) {
			dir, name := f.at(3)
			f.mv(3, "b/cur", name)
			b := f.w.dir("b/cur")
			if err := b.Rename(name, f.w.dir(dir), name); err != nil {
				f.w.t.Fatal(err)
			}
		}, nil, 0},
		{"linked under another base name", func(f *fingers) { f.link(3, "a/cur", "1.twin.host:2,S") }, nil, 1},
		{"linked into another folder", func(f *fingers) { f.link(3, "b/cur", f.base(3)+":2,S") }, nil, 0},
		{"linked with other flags", func(f *fingers) { f.link(3, "a/cur", f.base(3)+":2,FT") }, nil, 0},
		{"linked into new", func(f *fingers) { f.link(3, "a/new", f.base(3)) }, nil, 0},
		{"linked from new into cur", func(f *fingers) { f.link(6, "a/cur", f.base(6)+":2,S") }, nil, 0},
		{"copied into new under its name", func(f *fingers) { f.w.put("a/new", f.base(3), body(77)) }, nil, 1},
		{"copied into cur with other flags", func(f *fingers) { f.w.put("a/cur", f.base(3)+":2,FT", body(77)) }, nil, 1},
		{"copied from new into cur", func(f *fingers) { f.w.put("a/cur", f.base(6)+":2,S", body(77)) }, nil, 1},
		{"exchanged for another under its name", func(f *fingers) {
			_, name := f.at(3)
			f.rm(3)
			f.w.put("a/cur", name, body(777))
		}, one, 0},
		{"time in the future", func(f *fingers) {
			for uid := range mail.UID(6) {
				f.touch(uid+1, f.w.clock.now().AddDate(30, 0, 0))
			}
		}, nil, 0},
		{"time before 1970", func(f *fingers) { f.touch(3, time.Unix(-1e9, 0)) }, nil, 0},
		{"the clock jumps back", func(f *fingers) { f.w.clock.advance(-20 * 365 * 24 * time.Hour) }, nil, 0},
		{"the clock jumps back, and mail comes", func(f *fingers) {
			f.w.clock.advance(-20 * 365 * 24 * time.Hour)
			f.w.deliver("a", body(88))
		}, nil, 1},
		{"the clock jumps forth, and mail comes", func(f *fingers) {
			f.w.clock.advance(60 * 365 * 24 * time.Hour)
			f.w.deliver("a", body(88))
		}, nil, 1},
		{"directories and dot files", func(f *fingers) {
			f.w.put("a/cur", ".hidden", "x")
			if err := f.w.dir("a/cur").Mkdir("1.dir.host:2,S", 0o700); err != nil {
				f.w.t.Fatal(err)
			}
			if err := f.w.fs.Symlink("a/cur/1.link.host:2,S"); err != nil {
				f.w.t.Fatal(err)
			}
		}, nil, 0},
	}
}

func TestForeignProgramsKeepUIDs(t *testing.T) {
	for _, d := range deeds() {
		for _, how := range []string{"unwatched", "watched", "closed"} {
			if how == "watched" && strings.Contains(d.name, "blank") {
				continue // the watch of these tests reads names without blanks only
			}
			t.Run(d.name+" "+how, func(t *testing.T) {
				w := newSite(t, memfs.Options{Grain: 4 * time.Millisecond})
				var e *eyes
				if how == "watched" {
					e = w.watch("a")[0]
				}
				b := w.mustOpen("a", e)
				for i := range 5 {
					b.mustAppend(body(i), mail.Seen, "Work")
				}
				w.clock.advance(time.Minute)
				w.deliver("a", body(6))
				w.clock.advance(time.Minute)
				h := &history{}
				h.note(b)
				before := b.Snapshot()
				if how == "closed" {
					b.done()
				}
				w.clock.advance(time.Minute)
				d.do(&fingers{w, b})
				if how == "closed" {
					b = w.mustOpen("a", nil)
				}
				for range 3 {
					b.durable(b.refresh())
					w.clock.advance(time.Minute)
				}
				s := b.Snapshot()
				if err := h.judgeRest(b, d.gone); err != nil {
					t.Error(err)
				}
				lost := 0
				for uid := range d.gone.All() {
					if _, still := s.Lookup(uid); !still && strings.HasPrefix(d.name, "deleted") || strings.HasPrefix(d.name, "moved to") {
						lost++
					}
				}
				if want := before.Len() + d.more - lost; s.Len() != want {
					t.Errorf("%d messages, want %d", s.Len(), want)
				}
				for uid := range h.messages {
					m, there := s.Lookup(uid)
					if words := s.KeywordsOf(m); there && uid < 6 && !slices.Equal(words, []string{"Work"}) {
						t.Errorf("UID %d has the keywords %q", uid, words)
					}
				}
				now := &history{}
				now.note(b)
				b.done()
				again := w.mustOpen("a", nil)
				if err := now.judgeRest(again, nil); err != nil || again.Snapshot().Len() != len(now.messages) {
					t.Errorf("opened again: %d messages, %v", again.Snapshot().Len(), err)
				}
				if s, _, err := again.Expunge(t.Context(), mail.UIDSet{{First: 1, Last: s.UIDNext()}}, false); err != nil || s.Len() != 0 {
					t.Errorf("expunging all: %v", err)
				}
				w.clock.advance(time.Minute)
				again.done()
				again = w.mustOpen("a", nil)
				if s := again.Snapshot(); s.Len() != 0 {
					t.Errorf("%d messages came back", s.Len())
				}
				again.done()
			})
		}
	}
}

// judgeRest is judge for the messages that nothing happened to.
func (h *history) judgeRest(b *box, gone mail.UIDSet) error {
	s := b.Snapshot()
	var errs []error
	for uid, was := range h.messages {
		text, err := b.text(uid)
		switch touched := gone.Contains(uid, 0); {
		case err != nil && !touched:
			errs = append(errs, fmt.Errorf("UID %d: %w", uid, err))
		case err == nil && text != was:
			errs = append(errs, fmt.Errorf("UID %d was %q and is %q", uid, was, text))
		}
	}
	for _, m := range s.All(0) {
		if _, old := h.messages[m.UID]; !old && m.UID < h.next {
			errs = append(errs, fmt.Errorf("UID %d was given before", m.UID))
		}
	}
	if s.UIDValidity() != h.validity || s.UIDNext() < h.next || s.ModSeq() < h.modseq {
		errs = append(errs, fmt.Errorf("UIDVALIDITY %d UIDNEXT %d HIGHESTMODSEQ %d before, %d %d %d now", h.validity, h.next, h.modseq, s.UIDValidity(), s.UIDNext(), s.ModSeq()))
	}
	return errors.Join(errs...)
}

// A clock that jumps by years, to and fro, while mail comes and messages change, with
// times of any grain.
func TestClockJumps(t *testing.T) {
	for _, grain := range []time.Duration{1, 4 * time.Millisecond, time.Second} {
		w := newSite(t, memfs.Options{Grain: grain})
		h := &history{}
		b := w.mustOpen("a", nil)
		total := 0
		for i, jump := range []int{0, -10, 1, 40, -60, 30, -2, 15} {
			w.clock.advance(time.Duration(jump) * 365 * 24 * time.Hour)
			w.deliver("a", body(i))
			b.mustAppend(body(100+i), 0)
			total += 2
			w.clock.advance(time.Minute)
			if err := h.judge(b, false); i > 0 && err != nil {
				t.Errorf("grain %v, jump %d: %v", grain, i, err)
			}
			h.note(b)
			if i%2 == 0 {
				b.done()
				b = w.mustOpen("a", nil)
			}
			if b.Snapshot().Len() != total {
				t.Errorf("grain %v, jump %d: %d messages, want %d", grain, i, b.Snapshot().Len(), total)
			}
		}
		if len(h.messages) != total {
			t.Errorf("grain %v: %d UIDs for %d messages", grain, len(h.messages), total)
		}
		b.done()
	}
}

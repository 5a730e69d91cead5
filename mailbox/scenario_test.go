package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/vfs/memfs"
)

// A scenario is one change of two mailboxes, a and b, that hold a few messages.
type scenario struct {
	name string
	// outside is done by another program before, durably.
	outside func(w *site, boxes [2]*box)
	// run is the change; nil says that it was acknowledged.
	run func(ctx context.Context, boxes [2]*box) error
}

// The mailboxes of every scenario: a holds the messages 1 to 5, b one.
func (w *site) furnish() (boxes [2]*box) {
	boxes = [2]*box{w.mustOpen("a", nil), w.mustOpen("b", nil)}
	for i := 1; i <= 5; i++ {
		boxes[0].mustAppend(body(i), mail.Flags(0), "Work")
	}
	boxes[1].mustAppend(body(100), mail.Seen)
	for _, b := range boxes {
		b.durable(b.refresh())
	}
	w.clock.advance(time.Minute)
	return boxes
}

func acknowledged(ctx context.Context, b *box, s *mailbox.Snapshot, err error) error {
	if err != nil {
		return err
	}
	return b.Durable(ctx, s)
}

func scenarios() []scenario {
	store := func(uids mail.UIDSet, c mail.FlagChange) func(context.Context, [2]*box) error {
		return func(ctx context.Context, x [2]*box) error {
			res, err := x[0].SetFlags(ctx, uids, c, 0)
			return acknowledged(ctx, x[0], res.Snapshot, err)
		}
	}
	some := mail.SetOf[mail.UID](2, 4)
	transfer := func(ctx context.Context, x [2]*box, res mailbox.CopyResult, dst *box, err error) error {
		if err = acknowledged(ctx, dst, res.DestSnapshot, err); err != nil {
			return err
		}
		return acknowledged(ctx, x[0], res.SourceSnapshot, nil)
	}
	return []scenario{
		{"append", nil, func(ctx context.Context, x [2]*box) error {
			_, err := x[0].append(body(6), mail.Flagged, "Work", "New")
			return err
		}},
		{"store", nil, store(some, mail.FlagChange{Op: mail.AddFlags, Flags: mail.Seen | mail.Answered})},
		{"store keywords", nil, store(some, mail.FlagChange{Op: mail.AddFlags, Keywords: []string{"one", "two"}})},
		{"store both", nil, store(some, mail.FlagChange{Op: mail.ReplaceFlags, Flags: mail.Deleted, Keywords: []string{"x"}})},
		{"expunge", nil, func(ctx context.Context, x [2]*box) error {
			s, _, err := x[0].Expunge(ctx, some, false)
			return acknowledged(ctx, x[0], s, err)
		}},
		{"copy", nil, func(ctx context.Context, x [2]*box) error {
			res, err := mailbox.Copy(ctx, x[0].Mailbox, some, x[1].Mailbox)
			return transfer(ctx, x, res, x[1], err)
		}},
		{"copy here", nil, func(ctx context.Context, x [2]*box) error {
			res, err := mailbox.Copy(ctx, x[0].Mailbox, some, x[0].Mailbox)
			return transfer(ctx, x, res, x[0], err)
		}},
		{"move", nil, func(ctx context.Context, x [2]*box) error {
			res, err := mailbox.Move(ctx, x[0].Mailbox, some, x[1].Mailbox)
			return transfer(ctx, x, res, x[1], err)
		}},
		{"move here", nil, func(ctx context.Context, x [2]*box) error {
			res, err := mailbox.Move(ctx, x[0].Mailbox, some, x[0].Mailbox)
			return transfer(ctx, x, res, x[0], err)
		}},
		{"delivery", func(w *site, _ [2]*box) {
			w.deliver("a", body(6))
			w.deliver("a", body(7))
		}, look},
		{"delivery claimed", func(w *site, _ [2]*box) {
			w.deliver("a", body(6))
			w.deliver("a", body(7))
		}, func(ctx context.Context, x [2]*box) error {
			if err := look(ctx, x); err != nil {
				return err
			}
			_, s, err := x[0].ClaimRecent(ctx)
			return acknowledged(ctx, x[0], s, err)
		}},
		{"outside", func(w *site, x [2]*box) {
			cur := w.dir("a/cur")
			m, _ := x[0].Snapshot().Lookup(1)
			err := cur.Rename(m.Base+m.Info, cur, m.Base+":2,FS")
			m, _ = x[0].Snapshot().Lookup(3)
			err = errors.Join(err, cur.Remove(m.Base+m.Info), cur.Sync())
			if err != nil {
				w.t.Fatal(err)
			}
			w.deliver("a", body(6))
		}, look},
		{"append that notes ahead", func(w *site, x [2]*box) {
			if err := x[0].GoOnAt(context.Background(), mailbox.UIDsAhead/2+1); err != nil {
				w.t.Fatal(err)
			}
			x[0].durable(x[0].Snapshot())
		}, func(ctx context.Context, x [2]*box) error {
			_, err := x[0].append(body(6), mail.Flagged, "Work")
			return err
		}},
		{"compaction", nil, func(ctx context.Context, x [2]*box) error {
			return x[0].CompactNow(ctx)
		}},
		{"compaction aside", nil, func(ctx context.Context, x [2]*box) error {
			return x[0].CompactAside(ctx, func() error {
				return store(some, mail.FlagChange{Op: mail.AddFlags, Flags: mail.Flagged})(ctx, x)
			})
		}},
	}
}

// look is NOOP.
func look(ctx context.Context, x [2]*box) error {
	s, err := x[0].Refresh(ctx)
	return acknowledged(ctx, x[0], s, err)
}

// shown is a message as a client sees it.
type shown struct {
	text  string
	flags string
}

// state is what a mailbox shows.
type state struct {
	messages map[mail.UID]shown
	next     mail.UID
	validity mail.UIDValidity
}

func (b *box) state() (state, error) {
	s := b.Snapshot()
	st := state{map[mail.UID]shown{}, s.UIDNext(), s.UIDValidity()}
	for _, m := range s.All(0) {
		text, err := b.text(m.UID)
		if err != nil {
			return st, fmt.Errorf("UID %d: %w", m.UID, err)
		}
		words := slices.Sorted(slices.Values(s.KeywordsOf(m)))
		st.messages[m.UID] = shown{text, m.Flags.String() + " " + strings.Join(words, " ")}
	}
	return st, nil
}

func states(boxes [2]*box) (out [2]state, err error) {
	for i, b := range boxes {
		var e error
		out[i], e = b.state()
		err = errors.Join(err, e)
	}
	return out, err
}

func count(sts [2]state) map[string]int {
	n := map[string]int{}
	for _, st := range sts {
		for _, m := range st.messages {
			n[m.text]++
		}
	}
	return n
}

// judge says what is wrong with the state that was found after a change was cut off
// between before and after.
func judge(before, after, found [2]state) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for i := range found {
		b, a, f := before[i], after[i], found[i]
		if f.validity != b.validity {
			bad("box %d: UIDVALIDITY %d became %d", i, b.validity, f.validity)
		}
		if f.next < b.next {
			bad("box %d: UIDNEXT %d became %d", i, b.next, f.next)
		}
		for uid, was := range b.messages {
			is, there := f.messages[uid]
			will, stays := a.messages[uid]
			switch {
			case !there && stays:
				bad("box %d: UID %d is lost", i, uid)
			case there && is.text != was.text:
				bad("box %d: UID %d was %q and is %q", i, uid, was.text, is.text)
			case there && is.flags != was.flags && (!stays || is.flags != will.flags) && !halfway(was.flags, will.flags, is.flags):
				bad("box %d: UID %d had the flags %q, should have %q, has %q", i, uid, was.flags, will.flags, is.flags)
			}
		}
		for uid := range f.messages {
			if _, old := b.messages[uid]; !old && uid < b.next {
				bad("box %d: UID %d was given twice", i, uid)
			}
		}
	}
	nb, na, nf := count(before), count(after), count(found)
	for text := range nf {
		if nf[text] > max(nb[text], na[text]) {
			bad("%q is there %d times", text, nf[text])
		}
	}
	for _, n := range []map[string]int{nb, na} {
		for text := range n {
			if nf[text] < min(nb[text], na[text]) {
				bad("%q is there %d times only", text, nf[text])
			}
		}
	}
	return errors.Join(errs...)
}

// halfway allows the flags, which are in the name, to be on disk without the keywords,
// which are in the journal, and the other way round.
func halfway(was, will, is string) bool {
	split := func(s string) (flags, words []string) {
		for _, w := range strings.Fields(s) {
			if strings.HasPrefix(w, `\`) {
				flags = append(flags, w)
			} else {
				words = append(words, w)
			}
		}
		return flags, words
	}
	wasFlags, wasWords := split(was)
	willFlags, willWords := split(will)
	flags, words := split(is)
	return (slices.Equal(flags, willFlags) || slices.Equal(flags, wasFlags)) &&
		(slices.Equal(words, wasWords) || slices.Equal(words, willWords))
}

// outcome runs a scenario in peace.
func outcome(t *testing.T, sc scenario) (before, after [2]state) {
	t.Helper()
	w := newSite(t, memfs.Options{})
	boxes := w.furnish()
	before, err := states(boxes)
	if err != nil {
		t.Fatal(err)
	}
	if sc.outside != nil {
		sc.outside(w, boxes)
	}
	if err := sc.run(t.Context(), boxes); err != nil {
		t.Fatal(err)
	}
	if after, err = states(boxes); err != nil {
		t.Fatal(err)
	}
	if same := maps.EqualFunc(before[0].messages, after[0].messages, func(a, b shown) bool { return a == b }) &&
		len(before[1].messages) == len(after[1].messages); same && sc.name != "compaction" {
		t.Fatal("the scenario changes nothing")
	}
	for _, b := range boxes {
		b.done()
	}
	return before, after
}

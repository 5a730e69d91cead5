package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/vfs/memfs"
)

// Sessions of two mailboxes at once, moving to and fro, a delivery agent, and somebody
// in IDLE who is woken: all end with the same, and nothing is lost or doubled.
func TestAtOnce(t *testing.T) {
	w := newSite(t, memfs.Options{})
	e := w.watch("a", "b")
	boxes := [2]*box{w.mustOpen("a", e[0]), w.mustOpen("b", e[1])}
	const each, workers = 40, 4
	var wait sync.WaitGroup
	for n := range workers {
		wait.Go(func() {
			if err := busy(boxes, n, each); err != nil {
				t.Error(err)
			}
		})
	}
	stop := make(chan struct{})
	var idle sync.WaitGroup
	for _, b := range boxes {
		idle.Go(func() {
			if err := idling(b, stop); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Go(func() {
		for i := range each {
			w.deliver("a", body(1_000_000+i))
			e[0].some(3)
			e[1].some(3)
			w.clock.advance(time.Millisecond)
		}
	})
	wait.Wait()
	close(stop)
	idle.Wait()
	w.clock.advance(time.Minute)
	seen := map[string]int{}
	for i, b := range boxes {
		e[i].Drained()
		b.refresh()
		st, err := b.state()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range st.messages {
			seen[m.text]++
		}
	}
	for text, n := range seen {
		if n != 1 {
			t.Errorf("%q is there %d times", text, n)
		}
	}
	if want := (workers + 1) * each; len(seen) != want {
		t.Errorf("%d messages of %d", len(seen), want)
	}
	for _, b := range boxes {
		b.done()
	}
}

// busy appends, flags and moves.
func busy(boxes [2]*box, n, each int) error {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(uint64(n), 4))
	for i := range each {
		from, to := boxes[r.IntN(2)], boxes[r.IntN(2)]
		if _, err := from.append(body(1000*n+i), mail.Flags(r.IntN(16)), fmt.Sprint("w", r.IntN(5))); err != nil {
			return err
		}
		s := from.Snapshot()
		uid := s.UID(r.IntN(s.Len()))
		if _, err := from.SetFlags(ctx, mail.SetOf(uid), mail.FlagChange{Op: mail.AddFlags, Flags: mail.Seen}, 0); err != nil {
			return err
		}
		res, err := mailbox.Move(ctx, from.Mailbox, mail.SetOf(uid), to.Mailbox)
		if err != nil {
			return err
		}
		if err := errors.Join(to.Durable(ctx, res.DestSnapshot), from.Durable(ctx, res.SourceSnapshot)); err != nil {
			return err
		}
	}
	return nil
}

// idling is a client that is woken and applies what it is told.
func idling(b *box, stop chan struct{}) error {
	wake := make(chan struct{}, 1)
	end := b.Notify(func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	defer end()
	c := newClient(b)
	for {
		select {
		case <-wake:
			if err := c.sync(true); err != nil {
				return err
			}
		case <-stop:
			return c.sync(true)
		}
	}
}

// A hint wakes who listens, without anybody asking.
func TestHintWakes(t *testing.T) {
	w := newSite(t, memfs.Options{})
	e := w.watch("a")[0]
	b := w.mustOpen("a", e)
	wake := make(chan struct{}, 100)
	stop := b.Notify(func() { wake <- struct{}{} })
	w.deliver("a", body(1))
	e.some(10)
	<-wake
	stop()
	if n := b.Snapshot().Len(); n != 1 {
		t.Errorf("%d messages", n)
	}
	b.done()
}

// A wrong hint in a file's name at its size is put right at the first read.
func TestSizeHintIsChecked(t *testing.T) {
	w := newSite(t, memfs.Options{})
	for i := range 300 { // more than are looked at when they are found
		w.put("a/cur", fmt.Sprintf("%d.x,S=5,W=7:2,S", i+1), "one\ntwo\n")
	}
	b := w.mustOpen("a", nil)
	if m, _ := b.Snapshot().Lookup(1); m.Size != 5 {
		t.Fatalf("size %d: it was looked at", m.Size)
	}
	if text, err := b.text(1); err != nil || text != "one\r\ntwo\r\n" {
		t.Fatalf("%q %v", text, err)
	}
	if m, _ := b.Snapshot().Lookup(1); m.Size != 8 || m.CRLFSize != 10 {
		t.Errorf("sizes %d %d", m.Size, m.CRLFSize)
	}
	b.done()
}

// Fill finds sizes and dates, once.
func TestFill(t *testing.T) {
	w := newSite(t, memfs.Options{})
	for i := range 300 {
		w.put("a/cur", fmt.Sprintf("%d.x:2,S", i+1), "one\ntwo\n")
	}
	b := w.mustOpen("a", nil)
	all := mail.UIDSet{{First: 1, Last: 300}}
	s, err := b.Fill(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range s.All(0) {
		if m.Size != 8 || m.CRLFSize != 10 || m.Internal.IsZero() {
			t.Fatalf("%+v", m)
		}
	}
	if again, err := b.Fill(t.Context(), all); err != nil || again != s {
		t.Errorf("it was filled again: %v", err)
	}
	b.done()
}

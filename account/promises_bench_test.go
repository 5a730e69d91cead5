package account

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/watch"
)

// BenchmarkPromise states what each promise costs, by the same work with it and without:
// with that one thing turned off, or with the plain system calls instead. Sub-benchmarks
// are called promise/with and promise/without; scripts/promises.sh makes a table of them.
// What durability costs is BenchmarkDurability.
func BenchmarkPromise(b *testing.B) {
	b.Run("UIDs", benchUIDs)
	b.Run("absence", benchAbsence)
	b.Run("at once", benchAtOnce)
	b.Run("way back", benchWayBack)
}

// grounds is a mailbox on the disk for a benchmark.
type grounds struct {
	*Handle
	b    *testing.B
	root string
	h    *House
}

// fillMaildir makes a Maildir of n messages that nobody has opened yet.
func fillMaildir(b *testing.B, n int) (root string) {
	b.Helper()
	root = filepath.Join(b.TempDir(), "Maildir")
	for _, d := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o700); err != nil {
			b.Fatal(err)
		}
	}
	for i := range n {
		f, err := os.Create(filepath.Join(root, "cur", fmt.Sprintf("1700000000.M%dP1.h,S=2900,W=2990:2,S", i)))
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
	syscall.Sync() // else what follows waits for it
	return root
}

// enterGrounds opens the inbox at root; end closes it.
func enterGrounds(b *testing.B, root string, change func(*HouseConfig)) *grounds {
	b.Helper()
	c := HouseConfig{FS: vfs.OS(), Unique: maildir.NewUnique("h", 1, nil), Fsync: true, Boot: "bench", OpenLedger: realLedger(time.Now)}
	change(&c)
	g := &grounds{b: b, root: root, h: NewHouse(c)}
	a, err := g.h.Open(b.Context(), Config{Root: root})
	g.must(err)
	g.Handle, err = a.Mailbox(b.Context(), mail.Inbox)
	g.must(err)
	return g
}

func (g *grounds) end() {
	g.Release()
	g.must(g.h.Close())
}

func (g *grounds) must(err error) {
	g.b.Helper()
	if err != nil {
		g.b.Fatal(err)
	}
}

// remove takes away the message with index i.
func (g *grounds) remove(i int) {
	m := g.Snapshot().Message(i)
	g.must(os.Remove(filepath.Join(g.root, "cur", m.Base+m.Info)))
}

// flag has another program set one flag of the message with index i, or another.
func (g *grounds) flag(i, turn int) mail.Flags {
	m := g.Snapshot().Message(i)
	flags, info := mail.Flagged, ":2,F"
	if turn%2 == 1 {
		flags, info = mail.Seen, ":2,S"
	}
	cur := filepath.Join(g.root, "cur")
	g.must(os.Rename(filepath.Join(cur, m.Base+m.Info), filepath.Join(cur, m.Base+info)))
	return flags
}

func (g *grounds) refresh() *mailbox.Snapshot {
	s, err := g.Refresh(g.b.Context())
	g.must(err)
	return s
}

// settled has the watch tell all, and the mailbox know it durably.
func (g *grounds) settled(w *watch.Watcher, n int) {
	w.Drained()
	if s := g.refresh(); s.Len() != n {
		g.b.Fatalf("%d messages, not %d", s.Len(), n)
	} else {
		g.must(g.Durable(g.b.Context(), s))
	}
}

// benchUIDs: a journal's batch is on the disk before a UID is told, against what makes a
// file durable at all; and the account's file knows a number above all, which is written
// once in some 2,000 messages.
func benchUIDs(b *testing.B) {
	b.Run("APPEND, against file and directory synced/with", func(b *testing.B) {
		g := enterGrounds(b, fillMaildir(b, 0), func(*HouseConfig) {})
		appendOne(b, g.Handle)
		for b.Loop() {
			appendOne(b, g.Handle)
		}
		g.end()
	})
	b.Run("APPEND, against file and directory synced/without", func(b *testing.B) {
		root, n := fillMaildir(b, 0), 0
		for b.Loop() {
			n++
			plainAppend(b, root, fmt.Sprintf("1800000000.M%dP2.h,S=1000,W=1000", n))
		}
	})
	b.Run("one note of marks, in 2,048 messages/with", func(b *testing.B) {
		root, err := vfs.OS().OpenDir(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		defer root.Close()
		l, err := realLedger(time.Now)(root)
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		for m := (mailbox.Marks{UIDValidity: 1, UIDNext: 1}); b.Loop(); m.UIDNext += 2048 {
			if err := l.Note(mail.Inbox, m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// plainAppend is the system calls that make a message durable.
func plainAppend(b *testing.B, root, name string) {
	tmp := filepath.Join(root, "tmp", name)
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 1000)); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	f.Close()
	if err := os.Rename(tmp, filepath.Join(root, "cur", name+":2,S")); err != nil {
		b.Fatal(err)
	}
	d, err := os.Open(filepath.Join(root, "cur"))
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		b.Fatal(err)
	}
}

// benchAbsence: a message that is missing is looked for a second time before it is told to
// be gone. Against a flag that another program set, which one reading settles; a watch
// spares both.
func benchAbsence(b *testing.B) {
	const n = 10_000
	g := enterGrounds(b, fillMaildir(b, n), func(*HouseConfig) {})
	b.Run("a removal that no watch saw, 10,000/with", func(b *testing.B) {
		g.b = b
		for k := g.Snapshot().Len(); b.Loop(); k = g.Snapshot().Len() {
			g.remove(k / 2)
			for g.refresh().Len() == k {
			}
		}
	})
	b.Run("a removal that no watch saw, 10,000/without", func(b *testing.B) {
		g.b = b
		for i := 0; b.Loop(); i++ {
			flags := g.flag(0, i)
			for g.refresh().Message(0).Flags != flags {
			}
		}
	})
	g.end()
	w := newWatch(b)
	g = enterGrounds(b, fillMaildir(b, n), func(c *HouseConfig) { c.Watcher = w })
	before := g.h.Stats().Readings
	b.Run("a removal that the watch saw, 10,000/with", func(b *testing.B) {
		g.b = b
		for k := g.Snapshot().Len(); b.Loop(); k-- {
			g.remove(k / 2)
			g.settled(w, k-1)
		}
	})
	b.Run("a removal that the watch saw, 10,000/without", func(b *testing.B) {
		g.b = b
		k := g.Snapshot().Len()
		for i := 0; b.Loop(); i++ {
			g.flag(0, i)
			g.settled(w, k)
		}
	})
	if n := g.h.Stats().Readings - before; n != 0 {
		b.Errorf("%d readings with a watch", n)
	}
	g.end()
}

func newWatch(b *testing.B) *watch.Watcher {
	w, err := watch.New(watch.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { w.Close() })
	return w
}

// told is how many sessions look at a folder.
const told = 200

// benchAtOnce: what the watch and the telling cost who makes a change, without fsync,
// since that would hide it; and what 200 sessions cost that learn of a change because they
// are woken, against 200 that ask.
func benchAtOnce(b *testing.B) {
	const n = 10_000
	root := fillMaildir(b, n)
	noFsync := func(c *HouseConfig) { c.Fsync = false }
	g := enterGrounds(b, root, noFsync)
	first := g.Snapshot().UID(0)
	b.Run("STORE, no fsync, watched/without", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			storeOne(b, g.Handle, first, i)
		}
	})
	b.Run("200 sessions learn of a STORE, against polling/without", func(b *testing.B) {
		views := viewsOf(g.Snapshot())
		for i := 0; b.Loop(); i++ {
			storeOne(b, g.Handle, first, i)
			for _, v := range views {
				tellView(b, v, g.refresh())
			}
		}
	})
	g.end()
	w := newWatch(b)
	g = enterGrounds(b, root, func(c *HouseConfig) { c.Fsync, c.Watcher = false, w })
	b.Run("STORE, no fsync, watched/with", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			storeOne(b, g.Handle, first, i)
		}
		w.Drained()
	})
	b.Run("200 sessions learn of a STORE, against polling/with", func(b *testing.B) {
		views := viewsOf(g.Snapshot())
		var woken atomic.Int64
		for range views {
			defer g.Notify(func() { woken.Add(1) })()
		}
		for i := 0; b.Loop(); i++ {
			storeOne(b, g.Handle, first, i)
			for _, v := range views {
				tellView(b, v, g.Snapshot())
			}
		}
		if woken.Load() < told*int64(b.N) {
			b.Errorf("%d sessions woken", woken.Load())
		}
	})
	g.end()
}

func viewsOf(s *mailbox.Snapshot) []*mailbox.View {
	var views []*mailbox.View
	for range told {
		views = append(views, mailbox.NewView(s))
	}
	return views
}

// tellView is what a session does to tell of one change, but for the writing.
func tellView(b *testing.B, v *mailbox.View, s *mailbox.Snapshot) {
	n := 0
	for range v.Sync(s, true) {
		n++
	}
	if n == 0 {
		b.Fatal("nothing to tell")
	}
}

// benchWayBack: Courier's files are kept current, soon (follow) or at once (live), or not
// at all. What follow writes, a minute later at most, is a row of its own.
func benchWayBack(b *testing.B) {
	modes := []struct {
		name string
		mode mailbox.RegisterMode
	}{{"off", mailbox.RegisterOff}, {"follow", mailbox.RegisterFollow}, {"live", mailbox.RegisterLive}}
	for _, n := range []int{1000, 100_000} {
		root := fillMaildir(b, n)
		for _, m := range modes {
			g := enterGrounds(b, root, func(c *HouseConfig) { c.Courier = Courier{Mode: m.mode} })
			if m.mode == mailbox.RegisterOff {
				b.Run(fmt.Sprintf("writing Courier's list once, %d messages/follow", n), func(b *testing.B) {
					for b.Loop() {
						g.must(g.ExportRegister(b.Context()))
					}
				})
			}
			b.Run(fmt.Sprintf("APPEND, %d messages/%s", n, m.name), func(b *testing.B) {
				for b.Loop() {
					appendOne(b, g.Handle)
				}
			})
			b.Run(fmt.Sprintf("a keyword, %d messages/%s", n, m.name), func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					storeWord(b, g.Handle, i)
				}
			})
			g.end()
		}
	}
}

// storeWord sets a keyword of the first message, or takes it away.
func storeWord(b *testing.B, box *Handle, i int) {
	c := mail.FlagChange{Op: mail.AddFlags, Keywords: []string{"work"}}
	if i%2 == 1 {
		c.Op = mail.RemoveFlags
	}
	res, err := box.SetFlags(b.Context(), mail.SetOf(box.Snapshot().UID(0)), c, 0)
	if err == nil {
		err = box.Durable(b.Context(), res.Snapshot)
	}
	if err != nil {
		b.Fatal(err)
	}
}

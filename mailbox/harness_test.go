package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"postrider/index"
	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/vfs/memfs"
)

// clock is a time that moves only when it is told to.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Unix(1_795_000_000, 0)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// site is a file system with Maildirs, and everything around it.
type site struct {
	t      testing.TB
	fs     *memfs.FS
	over   vfs.FS // what mailboxes use: fs, or fs wrapped
	clock  *clock
	unique *maildir.Unique
	fsync  bool
	small  bool // snapshots in small pieces
	fsyncs chan struct{}
	boot   string    // the life of the machine
	log    io.Writer // nil: none
	valid  mail.UIDValidity
	serial int
	past   func() (*mailbox.Past, error)          // of the mailbox a
	config func(*mailbox.Config, *maildir.Folder) // more of it; nil: nothing

	compactor *mailbox.Compactor
}

func newSite(t testing.TB, o memfs.Options) *site {
	t.Helper()
	c := newClock()
	o.Now = c.now
	f := memfs.New(o)
	w := &site{t: t, fs: f, over: f, clock: c, unique: maildir.NewUnique("host", 7, c.now), fsync: true, valid: 1000}
	if err := f.MkdirAll("account", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, box := range []string{"a", "b"} {
		for _, d := range []string{"tmp", "new", "cur"} {
			if err := f.MkdirAll(box+"/"+d, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	return w
}

// on is the same world on another file system, as after a crash.
func (w *site) on(f *memfs.FS) *site {
	n := *w
	n.fs, n.over = f, f
	return &n
}

// box is an open mailbox with its folder and watch.
type box struct {
	*mailbox.Mailbox
	w      *site
	name   string
	folder *maildir.Folder
	eyes   *eyes
}

// open opens a mailbox; eyes nil: there is no watch.
func (w *site) open(name string, e *eyes) (*box, error) {
	d, err := w.over.OpenDir(name)
	if err != nil {
		return nil, err
	}
	f, err := maildir.OpenFolder(d, maildir.Options{Unique: w.unique, Now: w.clock.now, Reopen: func() (vfs.Dir, error) { return w.over.OpenDir(name) }})
	if err != nil {
		return nil, err
	}
	c := mailbox.Config{Folder: f, Fsync: w.fsync, Fsyncs: w.fsyncs, Boot: w.boot, Now: w.clock.now, Validity: func() (mail.UIDValidity, error) { w.valid++; return w.valid, nil }}
	if e != nil {
		c.Watch = e
	}
	c.Compactor = w.compactor
	if w.small {
		c.Small()
	}
	if name == "a" {
		c.Predecessor = w.past
	}
	if w.log != nil {
		c.Logger = slog.New(slog.NewTextHandler(w.log, nil))
	}
	l, err := w.ledger()
	if err != nil {
		f.Close()
		return nil, err
	}
	c.Floor = func() (mailbox.Marks, error) { return l.Floor(mail.Name(name)) }
	c.Note = func(m mailbox.Marks) error { return l.Note(mail.Name(name), m) }
	if w.config != nil {
		w.config(&c, f)
	}
	m, err := mailbox.Open(context.Background(), c)
	if err != nil {
		f.Close()
		return nil, err
	}
	b := &box{m, w, name, f, e}
	if e != nil {
		e.start(m.Hint)
	}
	return b, nil
}

// ledger is the account's file, as one more process sees it.
func (w *site) ledger() (*index.Ledger, error) {
	d, err := w.over.OpenDir("account")
	if err != nil {
		return nil, err
	}
	return index.OpenLedger(d, w.clock.now, func() (func(), error) { return d.Lock(context.Background()) }), nil
}

func (w *site) mustOpen(name string, e *eyes) *box {
	w.t.Helper()
	b, err := w.open(name, e)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// done checks and closes a mailbox, as every test's end does.
func (b *box) done() {
	b.w.t.Helper()
	if err := b.Check(context.Background()); err != nil {
		b.w.t.Errorf("check of %s: %v", b.name, err)
	}
	if err := b.close(); err != nil {
		b.w.t.Errorf("close of %s: %v", b.name, err)
	}
}

func (b *box) close() error { return errors.Join(b.Close(), b.folder.Close()) }

// refresh is the command NOOP.
func (b *box) refresh() *mailbox.Snapshot {
	b.w.t.Helper()
	s, err := b.Refresh(context.Background())
	if err != nil {
		b.w.t.Fatalf("refresh of %s: %v", b.name, err)
	}
	return s
}

func (b *box) durable(s *mailbox.Snapshot) {
	b.w.t.Helper()
	if err := b.Durable(context.Background(), s); err != nil {
		b.w.t.Fatalf("durable: %v", err)
	}
}

// append appends a message and waits until it is durable.
func (b *box) append(text string, flags mail.Flags, words ...string) (mail.UID, error) {
	ctx := context.Background()
	a, err := b.NewAppend(ctx, int64(len(text)))
	if err != nil {
		return 0, err
	}
	if _, err := a.Write([]byte(text)); err != nil {
		return 0, errors.Join(err, a.Abort())
	}
	uid, _, s, err := a.Commit(ctx, flags, words, b.w.clock.now())
	if err != nil {
		return 0, err
	}
	return uid, b.Durable(ctx, s)
}

func (b *box) mustAppend(text string, flags mail.Flags, words ...string) mail.UID {
	b.w.t.Helper()
	uid, err := b.append(text, flags, words...)
	if err != nil {
		b.w.t.Fatalf("append: %v", err)
	}
	return uid
}

// text reads a message as it is served.
func (b *box) text(uid mail.UID) (string, error) {
	s, err := b.OpenMessage(context.Background(), uid)
	if err != nil {
		return "", err
	}
	defer s.Close()
	var out strings.Builder
	_, err = s.WriteTo(&out)
	return out.String(), err
}

func body(n int) string { return fmt.Sprintf("Subject: %d\r\n\r\nbody %d\r\n", n, n) }

// dir opens a directory of the world as an outsider would.
func (w *site) dir(path string) vfs.Dir {
	d, err := w.fs.OpenDir(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// deliver puts a file into new as a delivery agent does, durably.
func (w *site) deliver(name, text string) string {
	w.serial++
	base := fmt.Sprintf("%d.M%dP1.mx", w.clock.now().Unix(), w.serial)
	w.put(name+"/new", base, text)
	return base
}

// put makes a file, durably.
func (w *site) put(path, file, text string) {
	w.t.Helper()
	box, sub, _ := strings.Cut(path, "/")
	tmp := w.dir(box + "/tmp")
	f, err := tmp.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		_, err = f.Write([]byte(text))
	}
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	to := w.dir(box + "/" + sub)
	if err == nil {
		err = tmp.Rename(file, to, file)
	}
	if err == nil {
		err = errors.Join(to.Sync(), tmp.Sync())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// list is the names in a directory.
func (w *site) list(path string) (names []string) {
	err := w.dir(path).List(func(name string, _ vfs.Type) bool { names = append(names, name); return true })
	if err != nil {
		w.t.Fatal(err)
	}
	return names
}

// eyes is a watch that sees everything: it reads the file system's log.
type eyes struct {
	box  string
	mu   sync.Mutex
	wait []mailbox.Hint // seen, not yet handed over
	hint func(mailbox.Hint)
	off  bool // it sees nothing now
}

// watch makes eyes for mailboxes; the log has room for one listener, so all are
// made at once.
func (w *site) watch(names ...string) []*eyes {
	var all []*eyes
	for _, n := range names {
		all = append(all, &eyes{box: n})
	}
	w.fs.Log(func(op string) {
		for _, e := range all {
			e.see(op)
		}
	})
	return all
}

func (e *eyes) start(hint func(mailbox.Hint)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hint = hint
}

// place takes a path apart: is it one of ours, in new or in cur?
func (e *eyes) place(path string) (name string, isNew, ok bool) {
	rest, ok := strings.CutPrefix(path, e.box+"/")
	sub, name, two := strings.Cut(rest, "/")
	return name, sub == "new", ok && two && (sub == "new" || sub == "cur")
}

func (e *eyes) see(op string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := strings.Fields(op)
	if e.off || len(f) < 2 {
		return
	}
	name, isNew, here := e.place(f[1])
	h := mailbox.Hint{Name: name, InNew: isNew}
	switch f[0] {
	case "create":
		h.Kind = mailbox.HintCame
	case "remove":
		h.Kind = mailbox.HintWent
	case "rename", "link":
		to, toNew, there := e.place(f[2])
		old := h
		h = mailbox.Hint{Kind: mailbox.HintCame, Name: to, InNew: toNew}
		switch {
		case f[0] == "rename" && here && there:
			h.Kind, h.OldName, h.OldNew = mailbox.HintRenamed, old.Name, old.InNew
		case f[0] == "rename" && here:
			h = old
			h.Kind = mailbox.HintWent
		case !there:
			return
		}
		here = true
	default:
		return
	}
	if here {
		e.wait = append(e.wait, h)
	}
}

func (e *eyes) Covers() bool { return true }

// Drained hands over everything.
func (e *eyes) Drained() bool {
	for {
		e.mu.Lock()
		if len(e.wait) == 0 || e.hint == nil {
			e.mu.Unlock()
			return true
		}
		h, fn := e.wait[0], e.hint
		e.wait = e.wait[1:]
		e.mu.Unlock()
		fn(h)
	}
}

// some hands over the first n hints.
func (e *eyes) some(n int) {
	for range n {
		e.mu.Lock()
		if len(e.wait) == 0 || e.hint == nil {
			e.mu.Unlock()
			return
		}
		h, fn := e.wait[0], e.hint
		e.wait = e.wait[1:]
		e.mu.Unlock()
		fn(h)
	}
}

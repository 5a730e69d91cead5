package mailbox_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
)

// tree is a Maildir on the disk with many messages, and what is needed to change it.
type tree struct {
	b      testing.TB
	root   string
	n      int
	unique *maildir.Unique
	serial int
	now    func() time.Time
}

// newTree makes a Maildir of n empty files.
func newTree(b testing.TB, n int) *tree {
	b.Helper()
	t := &tree{b: b, root: b.TempDir(), n: n, now: func() time.Time { return time.Now().Add(time.Hour) }} // so that the mtimes are old
	t.unique = maildir.NewUnique("host", 7, t.now)
	for _, d := range []string{"tmp", "new", "cur"} {
		if err := os.Mkdir(filepath.Join(t.root, d), 0o700); err != nil {
			b.Fatal(err)
		}
	}
	for i := range n {
		flags := "S"
		if i%10 == 9 {
			flags = ""
		}
		f, err := os.Create(filepath.Join(t.root, "cur", fmt.Sprintf("1795384139.M%dP20999.host,S=2900,W=2990:2,%s", i, flags)))
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
	syscall.Sync() // else what follows waits for it
	return t
}

// trust is a watch that sees everything: the benchmark hands over the hints itself.
type trust struct{}

func (trust) Covers() bool  { return true }
func (trust) Drained() bool { return true }

func (t *tree) open() (*mailbox.Mailbox, *maildir.Folder) {
	return t.openWith(func(*mailbox.Config) {})
}

func (t *tree) openWith(change func(*mailbox.Config)) (*mailbox.Mailbox, *maildir.Folder) {
	d, err := vfs.OS().OpenDir(t.root)
	if err != nil {
		t.b.Fatal(err)
	}
	f, err := maildir.OpenFolder(d, maildir.Options{Unique: t.unique})
	if err != nil {
		t.b.Fatal(err)
	}
	c := mailbox.Config{Folder: f, Fsync: true, Now: t.now, Watch: trust{}, Validity: func() (mail.UIDValidity, error) { return 1, nil }}
	change(&c)
	m, err := mailbox.Open(context.Background(), c)
	if err != nil {
		t.b.Fatal(err)
	}
	return m, f
}

// deliver puts a file into new.
func (t *tree) deliver() mailbox.Hint {
	t.serial++
	name := fmt.Sprintf("1795384200.M%dP7.mx", t.serial)
	if err := os.WriteFile(filepath.Join(t.root, "tmp", name), []byte("Subject: x\r\n\r\nx\r\n"), 0o600); err != nil {
		t.b.Fatal(err)
	}
	if err := os.Rename(filepath.Join(t.root, "tmp", name), filepath.Join(t.root, "new", name)); err != nil {
		t.b.Fatal(err)
	}
	return mailbox.Hint{Kind: mailbox.HintCame, Name: name, InNew: true}
}

// selectBox does what SELECT asks of a mailbox.
func selectBox(b *testing.B, m *mailbox.Mailbox) *mailbox.View {
	s, err := m.Refresh(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	v := mailbox.NewView(s)
	if v.Len() == 0 || s.FirstUnseen() < 0 || s.Unclaimed() < 0 || s.Unseen() == 0 {
		b.Fatal("an empty mailbox")
	}
	return v
}

// BenchmarkGrowth is the table of what one thing costs in folders of growing size:
// the cost of a change is the size of the change. "make bench-growth" prints it side
// by side. Each row waits for the disk where a client would.
func BenchmarkGrowth(b *testing.B) {
	for _, n := range []int{1_000, 100_000, 1_000_000} {
		if n > 100_000 && testing.Short() {
			continue
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			t := newTree(b, n)
			m, f := t.open()
			if err := m.Close(); err != nil {
				b.Fatal(err)
			}
			f.Close()
			m, f = t.open()
			for _, r := range growthRows {
				b.Run(r.name, func(b *testing.B) { r.run(b, t, m) })
			}
			m.Close()
			f.Close()
			b.Run("select-new-process", t.selectAnew)
		})
	}
}

// selectAnew opens the mailbox as a new process does, its files out of the page cache
// as far as the system lets us.
func (t *tree) selectAnew(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		dropCaches(t.root)
		b.StartTimer()
		m, f := t.open()
		selectBox(b, m)
		b.StopTimer()
		m.Close()
		f.Close()
		b.StartTimer()
	}
}

var growthRows = []struct {
	name string
	run  func(*testing.B, *tree, *mailbox.Mailbox)
}{
	{"select", func(b *testing.B, _ *tree, m *mailbox.Mailbox) {
		for b.Loop() {
			selectBox(b, m)
		}
	}},
	{"noop", func(b *testing.B, _ *tree, m *mailbox.Mailbox) {
		v := selectBox(b, m)
		for b.Loop() {
			s, err := m.Refresh(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			for u := range v.Sync(s, true) {
				b.Fatal(u)
			}
		}
	}},
	{"status", func(b *testing.B, _ *tree, m *mailbox.Mailbox) {
		for b.Loop() {
			s, err := m.Refresh(context.Background())
			if size, _ := s.Size(); err != nil || s.Len()+s.Unseen()+s.Deleted()+s.Unclaimed()+int(s.UIDNext())+int(size) == 0 {
				b.Fatal(err)
			}
		}
	}},
	{"flag", func(b *testing.B, t *tree, m *mailbox.Mailbox) {
		v := selectBox(b, m)
		for i := 0; b.Loop(); i++ {
			c := mail.FlagChange{Op: mail.ReplaceFlags, Flags: mail.Flagged}
			if i%2 == 1 {
				c.Flags = mail.Seen
			}
			res, err := m.SetFlags(context.Background(), mail.SetOf(v.Snapshot().UID(t.n/2)), c, 0)
			if err != nil {
				b.Fatal(err)
			}
			tell(b, m, v, res.Snapshot, mailbox.Flags)
		}
	}},
	{"expunge", func(b *testing.B, t *tree, m *mailbox.Mailbox) {
		v := selectBox(b, m)
		for range m.Snapshot().All(0) { // what a client has listed is in memory
		}
		for i := 0; b.Loop(); i++ {
			if v.Len() < t.n/2 {
				b.Skip("no messages are left")
			}
			uid, _ := v.UID(mail.SeqNum(1 + i*7919%v.Len()))
			s, _, err := m.Expunge(context.Background(), mail.SetOf(uid), false)
			if err != nil {
				b.Fatal(err)
			}
			tell(b, m, v, s, mailbox.Expunge)
		}
	}},
	{"delivery", func(b *testing.B, t *tree, m *mailbox.Mailbox) {
		v := selectBox(b, m)
		for b.Loop() {
			m.Hint(t.deliver())
			s, err := m.Refresh(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			tell(b, m, v, s, mailbox.Exists)
		}
	}},
	{"exists-in-idle", func(b *testing.B, t *tree, m *mailbox.Mailbox) {
		v := selectBox(b, m)
		woken := make(chan struct{}, 1)
		defer m.Notify(func() {
			select {
			case woken <- struct{}{}:
			default:
			}
		})()
		for b.Loop() {
			m.Hint(t.deliver()) // stopping the clock for it would cost more than it takes
			for was := v.Len(); v.Len() == was; {
				<-woken
				s := m.Snapshot()
				if err := m.Durable(context.Background(), s); err != nil {
					b.Fatal(err)
				}
				for range v.Sync(s, true) {
				}
			}
		}
	}},
}

// tell brings a view up to date, durably, as the end of a command does.
func tell(b *testing.B, m *mailbox.Mailbox, v *mailbox.View, s *mailbox.Snapshot, want mailbox.UpdateKind) {
	if err := m.Durable(context.Background(), s); err != nil {
		b.Fatal(err)
	}
	told := false
	for u := range v.Sync(s, true) {
		told = told || u.Kind == want
	}
	if !told {
		b.Fatal("nothing was told")
	}
}

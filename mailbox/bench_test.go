package mailbox_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
)

const many = 100_000

// realBox makes a Maildir of many empty files on the disk and returns what opens it.
func realBox(b *testing.B) func() (*mailbox.Mailbox, *maildir.Folder) {
	root := b.TempDir()
	for _, d := range []string{"tmp", "new", "cur"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o700); err != nil {
			b.Fatal(err)
		}
	}
	for i := range many {
		name := filepath.Join(root, "cur", fmt.Sprintf("1795384139.M%dP20999.host,S=2900,W=2990:2,S", i))
		f, err := os.Create(name)
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
	now := func() time.Time { return time.Now().Add(time.Hour) } // so that the mtimes are old
	unique := maildir.NewUnique("host", 7, now)
	return func() (*mailbox.Mailbox, *maildir.Folder) {
		d, err := vfs.OS().OpenDir(root)
		if err != nil {
			b.Fatal(err)
		}
		f, err := maildir.OpenFolder(d, maildir.Options{Unique: unique})
		if err != nil {
			b.Fatal(err)
		}
		m, err := mailbox.Open(context.Background(), mailbox.Config{
			Folder: f, Fsync: true, Now: now, Validity: func() (mail.UIDValidity, error) { return 1, nil },
		})
		if err != nil {
			b.Fatal(err)
		}
		return m, f
	}
}

func BenchmarkOpenUnchanged(b *testing.B) {
	open := realBox(b)
	m, f := open()
	if err := m.Close(); err != nil {
		b.Fatal(err)
	}
	f.Close()
	for b.Loop() {
		m, f := open()
		b.StopTimer()
		if m.Snapshot().Len() != many {
			b.Fatal(m.Snapshot().Len())
		}
		m.Close()
		f.Close()
		b.StartTimer()
	}
}

func BenchmarkReconcileFull(b *testing.B) {
	m, f := realBox(b)()
	for b.Loop() {
		if err := m.ReconcileNow(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	m.Close()
	f.Close()
}

// A STORE of one message, without waiting for the disk.
func BenchmarkStoreOne(b *testing.B) {
	m, f := realBox(b)()
	i := 0
	for b.Loop() {
		i++
		c := mail.FlagChange{Op: mail.AddFlags, Flags: mail.Flagged}
		if i%2 == 0 {
			c.Op = mail.RemoveFlags
		}
		if _, err := m.SetFlags(context.Background(), mail.SetOf[mail.UID](5000), c, 0); err != nil {
			b.Fatal(err)
		}
	}
	m.Close()
	f.Close()
}

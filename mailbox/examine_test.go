package mailbox_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"postrider/index"
	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/vfs/memfs"
)

// look opens a folder as the tools do.
func (w *site) look(name string) *maildir.Folder {
	w.t.Helper()
	f, err := maildir.LookAt(w.dir(name), maildir.Options{Now: w.clock.now})
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

func (w *site) examine(name string, o mailbox.ExamineOptions) *mailbox.Examination {
	w.t.Helper()
	f := w.look(name)
	defer f.Close()
	o.Now = w.clock.now
	x, err := mailbox.Examine(w.t.Context(), f, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return x
}

// lines are the findings that are more than a note.
func lines(x *mailbox.Examination) string {
	var out []string
	for _, f := range x.Findings {
		out = append(out, fmt.Sprintf("%d %s", f.Severity, f))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// lived is a mailbox with a past: a snapshot file, a tail behind it, a cache, keywords
// and messages that are gone.
func (w *site) lived() {
	w.t.Helper()
	b := w.mustOpen("a", nil)
	for i := range 8 {
		b.mustAppend(body(i), mail.Seen, "$k")
		b.PutCached(mail.UID(i+1), mailbox.CacheEntry{Field: mailbox.FieldEnvelope, Bytes: []byte(fmt.Sprint("envelope ", i))})
	}
	b.setFlags(3, mail.Deleted)
	if _, gone, err := b.Expunge(w.t.Context(), nil, true); err != nil || gone.Len() != 1 {
		w.t.Fatal(gone, err)
	}
	if err := b.CompactNow(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	b.setFlags(5, mail.Flagged)
	if err := b.close(); err != nil {
		w.t.Fatal(err)
	}
}

func (b *box) setFlags(uid mail.UID, flags mail.Flags) {
	b.w.t.Helper()
	res, err := b.SetFlags(b.w.t.Context(), mail.SetOf(uid), mail.FlagChange{Op: mail.AddFlags, Flags: flags}, 0)
	if err != nil {
		b.w.t.Fatal(err)
	}
	b.durable(res.Snapshot)
}

func TestExamineTellsWhatIsUnseenFromDamage(t *testing.T) {
	w := newSite(t, memfs.Options{})
	w.lived()
	if x := w.examine("a", mailbox.ExamineOptions{}); len(x.Findings) > 1 || x.Count(mailbox.Unseen)+x.Count(mailbox.Damage) > 0 || x.Messages != 7 || x.Files != 7 || x.Cached != 7 {
		t.Errorf("%+v", x)
	}
	w.deliver("a", body(100))
	cur := w.list("a/cur")
	slices.Sort(cur)
	d := w.dir("a/cur")
	if err := errors.Join(d.Remove(cur[0]), d.Rename(cur[1], d, cur[1]+"T")); err != nil {
		t.Fatal(err)
	}
	changes := 0
	w.fs.Log(func(string) { changes++ })
	x := w.examine("a", mailbox.ExamineOptions{Derive: func(mailbox.Served) ([]mailbox.CacheEntry, error) { return nil, nil }})
	w.fs.Log(nil)
	if changes > 0 {
		t.Errorf("an examination made %d changes", changes)
	}
	if x.Count(mailbox.Unseen) != 3 || x.Count(mailbox.Damage) != 0 {
		t.Errorf("findings:\n%s", lines(x))
	}
	for _, want := range []string{"has no UID yet", "there is no file", "the journal says"} {
		if !strings.Contains(lines(x), want) {
			t.Errorf("%q is not among the findings:\n%s", want, lines(x))
		}
	}
	w.mustOpen("a", nil).done()
	if x := w.examine("a", mailbox.ExamineOptions{}); x.Count(mailbox.Unseen)+x.Count(mailbox.Damage) > 0 {
		t.Errorf("after a session looked:\n%s", lines(x))
	}
}

// A change behind an mtime that the journal believes would never be seen.
func TestExamineFindsWhatNobodyWouldSee(t *testing.T) {
	w := newSite(t, memfs.Options{})
	w.lived()
	w.clock.advance(time.Minute)
	b := w.mustOpen("a", nil)
	b.refresh()
	b.done()
	d := w.dir("a/cur")
	was, err := d.StatSelf()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(w.list("a/cur")[0]); err != nil {
		t.Fatal(err)
	}
	if x := w.examine("a", mailbox.ExamineOptions{}); x.Count(mailbox.Unseen) != 1 || x.Count(mailbox.Damage) != 0 {
		t.Errorf("with another mtime:\n%s", lines(x))
	}
	if err := w.dir("a").SetTimes("cur", was.Mtime); err != nil {
		t.Fatal(err)
	}
	if x := w.examine("a", mailbox.ExamineOptions{}); x.Count(mailbox.Damage) != 1 {
		t.Errorf("with the mtime that the journal believes:\n%s", lines(x))
	}
}

// No byte of any file can change without its being told.
func TestExamineFindsEveryByte(t *testing.T) {
	w := newSite(t, memfs.Options{})
	w.lived()
	clean := lines(w.examine("a", mailbox.ExamineOptions{}))
	for _, name := range []string{"journal", "index", "cache"} {
		f, err := w.dir("a/postrider").OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		info, _ := f.Stat()
		unused := int64(-1) // the last 4 bytes of the table of names
		if name == "index" {
			h := make([]byte, 128)
			if _, err := f.ReadAt(h, 0); err != nil {
				t.Fatal(err)
			}
			unused = int64(h[56]) | int64(h[57])<<8 | int64(h[58])<<16
		}
		one := make([]byte, 1)
		for at := int64(0); at < info.Size; at++ {
			if at < unused && at >= unused-4 || name == "index" && at > 3000 && at < unused-16 && at%97 != 0 {
				continue // nothing is there, or more of the same
			}
			if _, err := f.ReadAt(one, at); err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			f.WriteAt([]byte{one[0] ^ 0x41}, at)
			if x := w.examine("a", mailbox.ExamineOptions{}); lines(x) == clean {
				t.Errorf("byte %d of %s is another one, and nothing is found", at, name)
			}
			f.WriteAt(one, at)
		}
		f.Close()
	}
	if again := lines(w.examine("a", mailbox.ExamineOptions{})); again != clean {
		t.Errorf("at the end:\n%s", again)
	}
}

func TestExamineLooksAtWhatIsCached(t *testing.T) {
	w := newSite(t, memfs.Options{})
	w.lived()
	derive := func(text mailbox.Served) ([]mailbox.CacheEntry, error) {
		var b strings.Builder
		if _, err := text.WriteTo(&b); err != nil {
			return nil, err
		}
		var n int
		fmt.Sscanf(b.String(), "Subject: %d", &n)
		return []mailbox.CacheEntry{{Field: mailbox.FieldEnvelope, Bytes: []byte(fmt.Sprint("envelope ", n))}}, nil
	}
	last := 0
	o := mailbox.ExamineOptions{Derive: derive, Progress: func(done, total int) { last = total - done }}
	if x := w.examine("a", o); x.Count(mailbox.Damage) > 0 || last != 0 {
		t.Errorf("all is well, and %d are left:\n%s", last, lines(x))
	}
	dir := w.dir("a/postrider")
	v := w.examined("a").State.UIDValidity()
	c := index.OpenCache(dir, v)
	c.Put(7, index.Entry{Field: index.FieldEnvelope, Bytes: []byte("of another")})
	c.Put(99, index.Entry{Field: index.FieldEnvelope, Bytes: []byte("of none")})
	c.Close()
	x := w.examine("a", o)
	if got := lines(x); x.Count(mailbox.Damage) != 2 || !strings.Contains(got, "cache: UID 7") || !strings.Contains(got, "cache: UID 99") {
		t.Errorf("findings:\n%s", got)
	}
}

func (w *site) examined(name string) *mailbox.Inspection {
	w.t.Helper()
	f := w.look(name)
	defer f.Close()
	in, err := mailbox.Inspect(f, mailbox.InspectOptions{Tail: 3, Now: w.clock.now})
	if err != nil {
		w.t.Fatal(err)
	}
	return in
}

func TestInspectSaysWhatTheMailboxSays(t *testing.T) {
	w := newSite(t, memfs.Options{})
	f := w.look("a")
	if _, err := mailbox.Inspect(f, mailbox.InspectOptions{}); !errors.Is(err, mailbox.ErrNoIndex) {
		t.Errorf("of a mailbox that nobody opened: %v", err)
	}
	f.Close()
	w.lived()
	b := w.mustOpen("a", nil)
	defer b.done()
	b.mustAppend(body(50), 0, "other")
	changes := 0
	w.fs.Log(func(string) { changes++ })
	in := w.examined("a")
	w.fs.Log(nil)
	s := b.Snapshot()
	if changes != 0 || in.State.Len() != s.Len() || in.State.UIDNext() != s.UIDNext() || in.State.ModSeq() != s.ModSeq() || !slices.Equal(in.State.Keywords(), s.Keywords()) {
		t.Errorf("%d changes; %+v", changes, in)
	}
	if len(in.Tail) != 3 || in.Tail[2].End != in.Journal.End || len(in.Vanished) != 1 || !in.Snapshot.Fits || in.Cache.Messages != 8 {
		t.Errorf("%+v %+v %+v", in, in.Snapshot, in.Cache)
	}
}

func (w *site) folderIn(d vfs.Dir) *maildir.Folder {
	w.t.Helper()
	f, err := maildir.LookAt(d, maildir.Options{Now: w.clock.now})
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

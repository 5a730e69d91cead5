package mailbox_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"postrider/index"
	"postrider/mail"
	"postrider/mailbox"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// rebuild does what the tool does, beside whoever has the mailbox open.
func (w *site) rebuild(name string, o mailbox.RebuildOptions) (*mailbox.Rebuilt, error) {
	w.t.Helper()
	f := w.look(name)
	defer f.Close()
	o.Fsync, o.Now = true, w.clock.now
	o.Validity = func() (mail.UIDValidity, error) { w.valid++; return w.valid, nil }
	return mailbox.Rebuild(w.t.Context(), f, o)
}

// numbers are the UIDs by base name.
func numbers(s *mailbox.Snapshot) map[string]mail.UID {
	out := map[string]mail.UID{}
	for _, m := range s.All(0) {
		out[m.Base] = m.UID
	}
	return out
}

// spoil changes a file of the index of mailbox a.
func (w *site) spoil(name string, at int64, bytes ...byte) {
	w.t.Helper()
	f, err := w.dir("a/postrider").OpenFile(name, os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt(bytes, at)
	}
	if err == nil {
		err = errors.Join(f.Sync(), f.Close(), w.dir("a/postrider").Sync())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *site) remove(names ...string) {
	w.t.Helper()
	for _, n := range names {
		if err := w.dir("a/postrider").Remove(n); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.dir("a/postrider").Sync(); err != nil {
		w.t.Fatal(err)
	}
}

func TestRebuildBesideASession(t *testing.T) {
	for _, fromFiles := range []bool{false, true} {
		t.Run(fmt.Sprint("from files: ", fromFiles), func(t *testing.T) {
			w := newSite(t, memfs.Options{})
			w.lived()
			b := w.mustOpen("a", nil)
			b.mustAppend(body(20), mail.Answered, "later")
			was := b.Snapshot()
			made, err := w.rebuild("a", mailbox.RebuildOptions{FromFiles: fromFiles})
			if err != nil || made.Messages != was.Len() || len(made.Aside) == 0 {
				t.Fatalf("%+v, %v", made, err)
			}
			now := b.refresh()
			if !maps.Equal(numbers(now), numbers(was)) || now.UIDValidity() != was.UIDValidity() || now.UIDNext() < was.UIDNext() || fromFiles == (now.UIDNext() == was.UIDNext()) {
				t.Errorf("UIDs %v, UIDNEXT %d; before %v, %d", numbers(now), now.UIDNext(), numbers(was), was.UIDNext())
			}
			if uid := b.mustAppend(body(21), 0, "$k"); uid < now.UIDNext() {
				t.Errorf("the next message got UID %d below UIDNEXT %d", uid, now.UIDNext())
			}
			if x := w.examine("a", mailbox.ExamineOptions{}); x.Count(mailbox.Damage)+x.Count(mailbox.Unseen) > 0 {
				t.Errorf("afterwards:\n%s", lines(x))
			}
			b.done()
			w.mustOpen("a", nil).done()
		})
	}
}

func TestRebuildRefusesAJournalThatIsNotWhole(t *testing.T) {
	for name, harm := range map[string]func(w *site){
		"missing":     func(w *site) { w.remove("journal") },
		"no header":   func(w *site) { w.spoil("journal", 3, 'x') },
		"a gap":       func(w *site) { w.spoil("journal", 90, 0xff, 0xff, 0xff) },
		"cut":         func(w *site) { w.cut("journal", 70) },
		"made anew":   func(w *site) { w.cut("journal", 64) },
		"half a head": func(w *site) { w.cut("journal", 20) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newSite(t, memfs.Options{})
			w.lived()
			harm(w)
			if made, err := w.rebuild("a", mailbox.RebuildOptions{}); !errors.Is(err, mailbox.ErrNotWhole) || len(made.Aside) > 0 {
				t.Errorf("%+v, %v", made, err)
			}
			made, err := w.rebuild("a", mailbox.RebuildOptions{FromFiles: true})
			if err != nil {
				t.Fatal(err)
			}
			b := w.mustOpen("a", nil)
			defer b.done()
			if s := b.Snapshot(); s.UIDValidity() != 1001 || s.Len() != 7 || s.UIDNext() < 1_000_000 || s.UIDNext() > 3_000_000 {
				t.Errorf("%d messages, UIDVALIDITY %d, UIDNEXT %d; %+v", s.Len(), s.UIDValidity(), s.UIDNext(), made)
			}
			for base, uid := range numbers(b.Snapshot()) {
				if uid > 8 {
					t.Errorf("%s got the new UID %d; %+v", base, uid, made)
				}
			}
			m, _ := b.Snapshot().Lookup(5)
			if words := b.Snapshot().KeywordsOf(m); len(words) != 1 || words[0] != "$k" || !m.Flags.Has(mail.Flagged|mail.Seen) {
				t.Errorf("UID 5 has keywords %q, flags %v", words, m.Flags)
			}
		})
	}
}

func (w *site) cut(name string, size int64) {
	w.t.Helper()
	f, err := w.dir("a/postrider").OpenFile(name, os.O_RDWR, 0)
	if err == nil {
		err = errors.Join(f.Truncate(size), f.Sync(), f.Close(), w.dir("a/postrider").Sync())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// Where neither journal nor index tells of a message, another server's list does; a UID
// that is known to have vanished does not come back, and no UID is given twice.
func TestRebuildFromLists(t *testing.T) {
	w := newSite(t, memfs.Options{})
	w.lived()
	b := w.mustOpen("a", nil)
	known, v := numbers(b.Snapshot()), b.Snapshot().UIDValidity()
	b.done()
	outside := w.deliver("a", body(70))
	again, second := w.deliver("a", body(71)), w.deliver("a", body(72))
	past := &mailbox.Past{UIDValidity: v, UIDNext: 900, Messages: map[string]mailbox.PastMessage{
		outside: {UID: 400}, again: {UID: 3, Keywords: []string{"$k"}}, second: {UID: 400}, "gone": {UID: 401}, "none": {}},
		Shown: func(name string) []string {
			if strings.HasPrefix(name, again) {
				return []string{"new"}
			}
			return nil
		}}
	list := mailbox.List{Name: "a list", Past: past}
	for base, uid := range known {
		past.Messages[base] = mailbox.PastMessage{UID: uid + 100} // the journal knows better
	}
	stale := mailbox.List{Name: "of another time", Past: &mailbox.Past{UIDValidity: v + 1, UIDNext: 5_000_000,
		Messages: map[string]mailbox.PastMessage{again: {UID: 77}}}}
	made, err := w.rebuild("a", mailbox.RebuildOptions{FromFiles: true, Lists: []mailbox.List{list, stale}})
	if err != nil {
		t.Fatal(err)
	}
	b = w.mustOpen("a", nil)
	defer b.done()
	now := numbers(b.Snapshot())
	for base, uid := range known {
		if now[base] != uid {
			t.Errorf("%s had UID %d and has %d", base, uid, now[base])
		}
	}
	if (now[outside] == 400) == (now[second] == 400) || now[again] < 1_000_900 || max(now[outside], now[second]) < 1_000_900 || b.Snapshot().UIDNext() > 2_000_000 {
		t.Errorf("UIDs %v; UIDNEXT %d; %+v", now, b.Snapshot().UIDNext(), made)
	}

	w.remove("journal", "index")
	if _, err := w.rebuild("a", mailbox.RebuildOptions{FromFiles: true, Lists: []mailbox.List{list}}); err != nil {
		t.Fatal(err)
	}
	c := w.mustOpen("a", nil)
	defer c.done()
	if s := c.Snapshot(); s.UIDValidity() != v || numbers(s)[again] != 3 {
		t.Errorf("of the list alone: UIDVALIDITY %d, %v", s.UIDValidity(), numbers(s))
	} else if m, _ := s.Lookup(3); !slices.Equal(s.KeywordsOf(m), []string{"$k", "new"}) {
		t.Errorf("keywords of the list: %q", s.KeywordsOf(m))
	}
}

// A power cut at any operation of a rebuild loses no UID.
func TestRebuildCrash(t *testing.T) {
	for name, harm := range map[string]func(w *site){
		"whole": func(*site) {}, "no header": func(w *site) { w.spoil("journal", 3, 'x') },
		"behind its snapshot": func(w *site) { w.cut("journal", 70) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newSite(t, memfs.Options{})
			w.lived()
			known := numbers(w.examined("a").State)
			harm(w)
			var all []remains
			w.over = faultfs.Wrap(w.fs, func(op faultfs.Op) error {
				for how, keep := range keepers(uint64(len(all))) {
					all = append(all, remains{w.fs.CrashClone(keep), fmt.Sprintf("before %s %s, kept: %s", op.Kind, op.Path, how), false})
				}
				return nil
			})
			d, err := w.over.OpenDir("a")
			if err != nil {
				t.Fatal(err)
			}
			f := w.folderIn(d)
			defer f.Close()
			if _, err := mailbox.Rebuild(t.Context(), f, mailbox.RebuildOptions{FromFiles: true, Fsync: true, Now: w.clock.now}); err != nil {
				t.Fatal(err)
			}
			all = append(all, remains{w.fs.CrashClone(func(string) bool { return false }), "at the end", true})
			if len(all) < 50 {
				t.Errorf("%d crashes", len(all))
			}
			for _, r := range all {
				b, err := w.on(r.fs).open("a", nil)
				if err != nil {
					t.Fatalf("%s: %v", r.where, err)
				}
				if now := numbers(b.Snapshot()); !maps.Equal(now, known) {
					t.Errorf("%s: UIDs %v, not %v", r.where, now, known)
				}
				b.done()
			}
		})
	}
}

func TestRebuildCache(t *testing.T) {
	w := newSite(t, memfs.Options{})
	w.lived()
	dir := w.dir("a/postrider")
	c := index.OpenCache(dir, w.examined("a").State.UIDValidity())
	c.Put(7, index.Entry{Field: index.FieldEnvelope, Bytes: []byte("of another")})
	c.Close()
	b := w.mustOpen("a", nil)
	defer b.done()
	derive := func(text mailbox.Served) ([]mailbox.CacheEntry, error) {
		n, err := text.Size()
		if n == int64(len(body(4))) && err == nil { // all have this length
			return []mailbox.CacheEntry{{Field: mailbox.FieldBody, Bytes: []byte("derived")}}, nil
		}
		return nil, errors.Join(err, errors.New("of another size"))
	}
	b.mustAppend(body(1000), 0)
	done := 0
	unread, err := b.RebuildCache(t.Context(), derive, func(n, total int) { done = n })
	if err != nil || unread != 1 || done != 7 {
		t.Errorf("%d are done, %d cannot be read: %v", done, unread, err)
	}
	for _, m := range b.Snapshot().All(0) {
		got, ok := b.Cached(m.UID, mailbox.FieldBody, nil)
		if _, old := b.Cached(m.UID, mailbox.FieldEnvelope, nil); old || ok != (m.UID < 9) || ok && string(got) != "derived" {
			t.Errorf("UID %d: %q, %v, %v", m.UID, got, ok, old)
		}
	}
}

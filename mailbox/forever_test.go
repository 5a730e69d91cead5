package mailbox_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/vfs/memfs"
)

// UIDs are for ever: whatever becomes of the index files, no UID that was given is
// ever another message's, and where anything is left that knows it, a message keeps
// its UID.

// history is all that a mailbox ever showed: of each UID the message, and the highest
// numbers.
type history struct {
	validity mail.UIDValidity
	messages map[mail.UID]string
	next     mail.UID
	modseq   mail.ModSeq
}

func (h *history) note(b *box) {
	b.w.t.Helper()
	s := b.refresh()
	b.durable(s)
	if h.messages == nil {
		h.messages, h.validity = map[mail.UID]string{}, s.UIDValidity()
	}
	h.next, h.modseq = max(h.next, s.UIDNext()), max(h.modseq, s.ModSeq())
	for _, m := range s.All(0) {
		text, err := b.text(m.UID)
		if err != nil {
			b.w.t.Fatal(err)
		}
		h.messages[m.UID] = text
	}
}

// judge says what of a mailbox that was opened again breaks a promise. kept: every
// message must have its UID still.
func (h *history) judge(b *box, kept bool) error {
	s := b.Snapshot()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if s.UIDValidity() != h.validity {
		if kept || s.UIDValidity() < h.validity {
			bad("UIDVALIDITY was %d and is %d", h.validity, s.UIDValidity())
		}
		return errors.Join(errs...) // another mailbox, to a client
	}
	if s.UIDNext() < h.next {
		bad("UIDNEXT was %d and is %d", h.next, s.UIDNext())
	}
	if s.ModSeq() < h.modseq {
		bad("HIGHESTMODSEQ was %d and is %d", h.modseq, s.ModSeq())
	}
	texts := map[string]mail.UID{}
	for _, m := range s.All(0) {
		text, err := b.text(m.UID)
		if err != nil {
			bad("UID %d: %v", m.UID, err)
		}
		was, old := h.messages[m.UID]
		switch {
		case old && was != text:
			bad("UID %d was %q and is %q", m.UID, was, text)
		case !old && m.UID < h.next:
			bad("UID %d is %q, and was given before", m.UID, text)
		case !old && kept:
			bad("%q has the new UID %d", text, m.UID)
		}
		if texts[text] != 0 {
			bad("%q is there as %d and as %d", text, texts[text], m.UID)
		}
		texts[text] = m.UID
	}
	return errors.Join(errs...)
}

// copies are the bytes of some files.
type copies map[string][]byte

// copyOf reads files of the world; one that is not there is nil.
func (w *site) copyOf(paths ...string) copies {
	f := copies{}
	for _, p := range paths {
		f[p] = w.bytes(p)
	}
	return f
}

func (w *site) bytes(p string) []byte {
	w.t.Helper()
	dir, name := p[:strings.LastIndexByte(p, '/')], p[strings.LastIndexByte(p, '/')+1:]
	f, err := w.dir(dir).Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		w.t.Fatal(err)
	}
	b := make([]byte, info.Size)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		w.t.Fatal(err)
	}
	return b
}

// overwrite puts bytes into a file: under the inode that it has, or a new one; nil
// removes it.
func (w *site) overwrite(p string, b []byte, inPlace bool) {
	w.t.Helper()
	dir, name := w.dir(p[:strings.LastIndexByte(p, '/')]), p[strings.LastIndexByte(p, '/')+1:]
	if b == nil || !inPlace {
		if err := dir.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			w.t.Fatal(err)
		}
	}
	if b == nil {
		return
	}
	f, err := dir.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		_, err = f.WriteAt(b, 0)
	}
	if err == nil {
		err = errors.Join(f.Sync(), f.Close(), dir.Sync())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

const (
	journalFile = "a/postrider/journal"
	indexFile   = "a/postrider/index"
	cacheFile   = "a/postrider/cache"
	accountFile = "account/account"
)

// eventful is a mailbox with a past: messages came and went after the backup, of all
// its files, that is returned. shut: it is closed.
func eventful(t *testing.T, o memfs.Options) (w *site, b *box, h *history, backup copies) {
	w = newSite(t, o)
	w.boot = "first"
	b, h = w.mustOpen("a", nil), &history{}
	for i := range 5 {
		b.mustAppend(body(i), mail.Flags(i), "Work")
	}
	if err := b.CompactNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.note(b)
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	backup = w.copyOf(journalFile, indexFile, cacheFile, accountFile)
	w.clock.advance(time.Hour)
	b = w.mustOpen("a", nil)
	for i := range 5 {
		b.mustAppend(body(10+i), 0, "Later")
	}
	b.durable(b.store(2, mail.Flagged))
	w.deliver("a", body(20))
	h.note(b)
	for _, uids := range []mail.UIDSet{mail.SetOf[mail.UID](3, 8, 9)} { // with some that came after the backup
		s, _, err := b.Expunge(t.Context(), uids, false)
		if err != nil {
			t.Fatal(err)
		}
		b.durable(s)
	}
	h.note(b)
	for uid := range mail.SetOf[mail.UID](3, 8, 9).All() {
		if _, there := b.Snapshot().Lookup(uid); there {
			t.Fatalf("UID %d is there", uid)
		}
	}
	w.clock.advance(time.Hour)
	return w, b, h, backup
}

func noise(b []byte) []byte {
	r := rand.New(rand.NewPCG(uint64(len(b)), 9))
	out := make([]byte, len(b))
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

// harms are what may become of files. each gets the files as they are and as they
// were in the backup.
func harms() map[string]func(w *site, p string, now, then []byte) {
	return map[string]func(w *site, p string, now, then []byte){
		"deleted": func(w *site, p string, _, _ []byte) { w.overwrite(p, nil, false) },
		"emptied": func(w *site, p string, _, _ []byte) { w.overwrite(p, []byte{}, true) },
		"noise":   func(w *site, p string, now, _ []byte) { w.overwrite(p, noise(now), true) },
		"noise at begin": func(w *site, p string, now, _ []byte) {
			w.overwrite(p, slices.Concat(noise(now[:len(now)/3]), now[len(now)/3:]), true)
		},
		"noise at end": func(w *site, p string, now, _ []byte) {
			w.overwrite(p, slices.Concat(now[:len(now)/3], noise(now[len(now)/3:])), true)
		},
		"noise inside": func(w *site, p string, now, _ []byte) {
			k := len(now) / 3
			w.overwrite(p, slices.Concat(now[:k], noise(now[k:k+40]), now[k+40:]), true)
		},
		"zeros at end": func(w *site, p string, now, _ []byte) {
			w.overwrite(p, append(now[:len(now)/2:len(now)/2], make([]byte, len(now)/2)...), true)
		},
		"from a backup":   func(w *site, p string, _, then []byte) { w.overwrite(p, then, false) },
		"a backup inside": func(w *site, p string, _, then []byte) { w.overwrite(p, then, true) },
	}
}

// Every file, alone and with each of the others, through every harm.
func TestUIDsSurviveHarmToTheIndex(t *testing.T) {
	all := []string{journalFile, indexFile, cacheFile, accountFile}
	for mask := 1; mask < 1<<len(all); mask++ {
		for harm, do := range harms() {
			var some []string
			for i, p := range all {
				if mask>>i&1 != 0 {
					some = append(some, p)
				}
			}
			t.Run(strings.ReplaceAll(strings.Join(some, " "), "/", ":")+" "+harm, func(t *testing.T) {
				w, b, h, backup := eventful(t, memfs.Options{})
				if err := b.close(); err != nil {
					t.Fatal(err)
				}
				for _, p := range some {
					if now := w.bytes(p); now != nil || backup[p] != nil {
						do(w, p, now, backup[p])
					}
				}
				untouched := !slices.Contains(some, journalFile)
				lost := slices.Contains(some, accountFile) && slices.Contains(some, journalFile)
				again := w.mustOpen("a", nil)
				if err := h.judge(again, untouched); err != nil {
					t.Error(err)
				}
				if !lost && again.Snapshot().UIDValidity() != h.validity {
					t.Errorf("UIDVALIDITY was %d and is %d", h.validity, again.Snapshot().UIDValidity())
				}
				if strings.HasPrefix(harm, "noise") { // what nobody reads, since another file has it too, is noise still
					if err := again.CompactNow(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				thrive(t, again, h)
			})
		}
	}
}

// thrive goes on with a mailbox that recovered: what it says now stays.
func thrive(t *testing.T, b *box, h *history) {
	t.Helper()
	next := b.Snapshot().UIDNext()
	if uid := b.mustAppend(body(99), 0); uid < next || b.Snapshot().UIDValidity() == h.validity && uid < h.next {
		t.Errorf("UID %d after UIDNEXT %d, and %d before", uid, next, h.next)
	}
	now := &history{}
	now.note(b)
	if len(now.messages) != 9 {
		t.Errorf("%d messages, not 9: %v", len(now.messages), slices.Sorted(maps.Keys(now.messages)))
	}
	b.done()
	b.w.clock.advance(time.Hour)
	again := b.w.mustOpen("a", nil)
	if err := now.judge(again, true); err != nil {
		t.Errorf("opened once more: %v", err)
	}
	if got := again.Snapshot().UIDNext(); got != now.next {
		t.Errorf("opened once more: UIDNEXT %d became %d", now.next, got)
	}
	again.done()
}

// A hole in the journal costs the messages whose batches it took their UIDs, once: the
// journal is written anew, and the next opening finds nothing wrong.
func TestHoleInTheJournal(t *testing.T) {
	w, b, h, _ := eventful(t, memfs.Options{})
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	now := w.bytes(journalFile)
	k := len(now) / 2
	w.overwrite(journalFile, slices.Concat(now[:k], noise(now[k:k+40]), now[k+40:]), true)
	w.overwrite(indexFile, nil, false)
	again := w.mustOpen("a", nil)
	if err := h.judge(again, false); err != nil {
		t.Error(err)
	}
	if again.Snapshot().UIDNext() < 1_000_000 {
		t.Errorf("UIDNEXT is %d: the hole was not noticed", again.Snapshot().UIDNext())
	}
	thrive(t, again, h)
}

// The same under a process that has the mailbox open: it knows everything, and says so.
func TestUIDsSurviveHarmUnderARunningServer(t *testing.T) {
	all := []string{journalFile, indexFile, cacheFile, accountFile}
	for harm, do := range harms() {
		for mask := 1; mask < 1<<len(all); mask++ {
			if strings.HasPrefix(harm, "noise") || strings.HasPrefix(harm, "zeros") {
				break // nobody reads again what was read; found when it is opened next
			}
			t.Run(fmt.Sprint(harm, mask), func(t *testing.T) {
				w, b, h, backup := eventful(t, memfs.Options{})
				for i, p := range all {
					if now := w.bytes(p); mask>>i&1 != 0 && (now != nil || backup[p] != nil) {
						do(w, p, now, backup[p])
					}
				}
				before := b.Snapshot()
				b.durable(b.store(1, mail.Answered))
				if err := h.judge(b, true); err != nil {
					t.Error(err)
				}
				if b.Snapshot().Len() != before.Len() {
					t.Errorf("%d messages became %d", before.Len(), b.Snapshot().Len())
				}
				h.note(b)
				left := w.on(w.fs.CrashClone(func(string) bool { return false }))
				b.done()
				again := left.mustOpen("a", nil)
				if err := h.judge(again, true); err != nil {
					t.Errorf("after a power loss: %v", err)
				}
				again.done()
				again = w.mustOpen("a", nil)
				if err := h.judge(again, true); err != nil {
					t.Errorf("opened again: %v", err)
				}
				thrive(t, again, h)
			})
		}
	}
}

// The same where the mailbox has given its memory back, and the files that it would
// read from are gone: a command fails at most, then what is on disk counts; no UID
// comes twice.
func TestUIDsSurviveHarmToAQuietMailbox(t *testing.T) {
	all := []string{journalFile, indexFile, cacheFile}
	for harm, do := range harms() {
		for mask := 1; mask < 1<<len(all); mask++ {
			w, b, h, backup := eventful(t, memfs.Options{})
			if err := errors.Join(b.CompactNow(t.Context()), b.GoQuiet(t.Context())); err != nil {
				t.Fatal(err)
			}
			for i, p := range all {
				if now := w.bytes(p); mask>>i&1 != 0 && (now != nil || backup[p] != nil) {
					do(w, p, now, backup[p])
				}
			}
			uid, err := b.append(body(99), 0)
			if errors.Is(err, mailbox.ErrDoubtful) {
				uid, err = b.append(body(100), 0)
			}
			if err != nil || uid < h.next {
				t.Errorf("%s %d: UID %d after UIDNEXT %d, %v", harm, mask, uid, h.next, err)
			}
			if _, err := b.Refresh(t.Context()); err != nil {
				t.Errorf("%s %d: %v", harm, mask, err)
			}
			if err := h.judge(b, false); err != nil {
				t.Errorf("%s %d: %v", harm, mask, err)
			}
			if err := b.close(); err != nil {
				t.Errorf("%s %d: %v", harm, mask, err)
			}
			again := w.mustOpen("a", nil)
			if n := again.Snapshot().Len(); n != 9 && n != 10 {
				t.Errorf("%s %d: opened again: %d messages", harm, mask, n)
			}
			if err := errors.Join(h.judge(again, false), again.close()); err != nil {
				t.Errorf("%s %d: opened again: %v", harm, mask, err)
			}
		}
	}
}

// The whole directory is moved away, deleted or exchanged under a running server.
func TestUIDsSurviveTheIndexDirectory(t *testing.T) {
	for name, act := range map[string]func(w *site, backup copies){
		"moved away": func(w *site, _ copies) {
			a := w.dir("a")
			if err := errors.Join(a.Rename("postrider", a, "elsewhere"), a.Sync()); err != nil {
				w.t.Fatal(err)
			}
		},
		"deleted": func(w *site, _ copies) { w.removeAll("a", "postrider") },
		"exchanged": func(w *site, backup copies) {
			w.removeAll("a", "postrider")
			if err := w.fs.MkdirAll("a/postrider", 0o700); err != nil {
				w.t.Fatal(err)
			}
			for _, p := range []string{journalFile, indexFile, cacheFile} {
				if backup[p] != nil {
					w.overwrite(p, backup[p], false)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, b, h, backup := eventful(t, memfs.Options{})
			second := w.mustOpen("a", nil) // another process
			act(w, backup)
			second.durable(second.store(1, mail.Answered))
			b.durable(b.store(2, mail.Draft))
			for _, x := range []*box{second, b} {
				h.note(x)
				if err := h.judge(x, true); err != nil {
					t.Error(err)
				}
			}
			second.done()
			b.done()
			again := w.mustOpen("a", nil)
			if err := h.judge(again, true); err != nil {
				t.Errorf("opened again: %v", err)
			}
			thrive(t, again, h)

			w, b, h, backup = eventful(t, memfs.Options{}) // and while nobody has it open
			if err := b.close(); err != nil {
				t.Fatal(err)
			}
			act(w, backup)
			again = w.mustOpen("a", nil)
			if err := h.judge(again, false); err != nil {
				t.Errorf("closed: %v", err)
			}
			if v := again.Snapshot().UIDValidity(); v != h.validity {
				t.Errorf("closed: UIDVALIDITY %d became %d", h.validity, v)
			}
			thrive(t, again, h)
		})
	}
}

// A journal that is cut off at any length, by a machine that stopped while it was in
// use.
func TestUIDsSurviveAJournalCutAtEveryLength(t *testing.T) {
	w, b, h, _ := eventful(t, memfs.Options{})
	whole := w.bytes(journalFile)
	for n := range len(whole) {
		for _, keepIndex := range []bool{true, false} {
			left := w.on(w.fs.CrashClone(func(string) bool { return true }))
			left.boot = "second"
			left.overwrite(journalFile, whole[:n], true)
			if !keepIndex {
				left.overwrite(indexFile, nil, false)
			}
			again := left.mustOpen("a", nil)
			if err := h.judge(again, false); err != nil {
				t.Errorf("%d of %d octets, index %v: %v", n, len(whole), keepIndex, err)
			}
			if v := again.Snapshot().UIDValidity(); v != h.validity {
				t.Errorf("%d octets: UIDVALIDITY %d became %d", n, h.validity, v)
			}
			again.done()
		}
	}
	b.done()
}

// A whole file system rolled back to a moment when the mailbox was in use goes on
// above all that was given since.
func TestUIDsSurviveARollback(t *testing.T) {
	w, b, h, _ := eventful(t, memfs.Options{})
	image := w.fs.CrashClone(func(string) bool { return true })
	for i := range 100 {
		b.mustAppend(body(100+i), 0)
	}
	h.note(b)
	b.done()
	back := w.on(image)
	back.boot = "second"
	again := back.mustOpen("a", nil)
	if err := h.judge(again, false); err != nil {
		t.Error(err)
	}
	thrive(t, again, h)
}

// A mailbox that the account knows and whose directory somebody made anew, and one of
// another UIDVALIDITY under its name.
func TestAnotherMailboxUnderTheName(t *testing.T) {
	w, b, h, _ := eventful(t, memfs.Options{})
	b.done()
	w.valid += 500
	w.mustOpen("b", nil).done()
	root := w.dir("/")
	if err := errors.Join(root.Rename("a", root, "old"), root.Rename("b", root, "a")); err != nil {
		t.Fatal(err)
	}
	other := w.mustOpen("a", nil)
	if got := other.Snapshot(); got.Len() != 0 || got.UIDNext() != 1 {
		t.Errorf("the other mailbox has %d messages, UIDNEXT %d", got.Len(), got.UIDNext())
	}
	other.done()
	if err := errors.Join(root.Rename("a", root, "b"), root.Rename("old", root, "a")); err != nil {
		t.Fatal(err)
	}
	again := w.mustOpen("a", nil)
	if err := h.judge(again, true); err != nil {
		t.Error(err)
	}
	again.done()
}

// removeAll removes a directory of files.
func (w *site) removeAll(path, name string) {
	w.t.Helper()
	d := w.dir(path + "/" + name)
	for _, f := range w.list(path + "/" + name) {
		if err := d.Remove(f); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := errors.Join(d.Sync(), w.dir(path).RemoveDir(name), w.dir(path).Sync()); err != nil {
		w.t.Fatal(err)
	}
}

// Recovery is told once, not at each look.
func TestRecoveryIsLoggedOnce(t *testing.T) {
	w, b, _, _ := eventful(t, memfs.Options{})
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	w.overwrite(journalFile, noise(w.bytes(journalFile)), true)
	var log strings.Builder
	w.log = &log
	again := w.mustOpen("a", nil)
	first := strings.Count(log.String(), "\n")
	for range 3 {
		again.refresh()
		w.clock.advance(time.Hour)
	}
	again.done()
	w.mustOpen("a", nil).done()
	if all := strings.Count(log.String(), "\n"); first == 0 || all != first {
		t.Errorf("%d lines at the recovery, %d in all:\n%s", first, all, log.String())
	}
}

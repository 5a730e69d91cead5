package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"postrider/index"
	"postrider/mail"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// realLedger opens the account's file as the program does.
func realLedger(now func() time.Time) func(vfs.Dir) (Ledger, error) {
	return func(root vfs.Dir) (Ledger, error) {
		if err := root.Mkdir("postrider", 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		dir, err := root.OpenDir("postrider")
		if err != nil {
			return nil, err
		}
		return index.OpenLedger(dir, now, func() (func(), error) { return dir.Lock(context.Background()) }), nil
	}
}

// seen is what clients may have cached: of each mailbox name and UIDVALIDITY, the
// message of each UID and how far UIDs had gone.
type seen struct {
	text map[string]string
	next map[string]mail.UID
}

func newSeen() *seen { return &seen{map[string]string{}, map[string]mail.UID{}} }

// look notes what a mailbox shows now and says what contradicts what it showed before.
func (v *seen) look(a *Account, n mail.Name) error {
	h, err := a.Mailbox(context.Background(), n)
	if errors.Is(err, ErrNoMailbox) {
		return nil
	}
	if err != nil {
		return err
	}
	defer h.Release()
	s, err := h.Refresh(context.Background())
	if err != nil {
		return err
	}
	if err := h.Check(context.Background()); err != nil {
		return fmt.Errorf("check of %s: %w", n, err)
	}
	box := fmt.Sprint(n, " ", s.UIDValidity())
	before := v.next[box]
	var errs []error
	if s.UIDNext() < before {
		errs = append(errs, fmt.Errorf("%s: UIDNEXT was %d and is %d", box, before, s.UIDNext()))
	}
	v.next[box] = max(before, s.UIDNext())
	for _, m := range s.All(0) {
		r, err := h.OpenMessage(context.Background(), m.UID)
		if err != nil {
			return err
		}
		var text strings.Builder
		_, err = r.WriteTo(&text)
		errs = append(errs, err, r.Close())
		key := fmt.Sprint(box, " ", m.UID)
		was, known := v.text[key]
		switch {
		case known && was != text.String():
			errs = append(errs, fmt.Errorf("%s was %q and is %q", key, was, text.String()))
		case !known && m.UID < before:
			errs = append(errs, fmt.Errorf("%s is %q, and was given before", key, text.String()))
		}
		v.text[key] = text.String()
	}
	return errors.Join(errs...)
}

// write appends a message with a text of its own.
func (s *stage) write(n mail.Name, text string) mail.UID {
	s.t.Helper()
	h := s.mailbox(n)
	defer h.Release()
	a, err := h.NewAppend(s.t.Context(), -1)
	must(s.t, err)
	_, err = a.Write([]byte(text + "\r\n"))
	must(s.t, err)
	uid, _, snap, err := a.Commit(s.t.Context(), 0, nil, time.Time{})
	must(s.t, err)
	must(s.t, h.Durable(s.t.Context(), snap))
	return uid
}

func ledgerStage(t *testing.T, now *time.Time, change func(*HouseConfig)) *stage {
	clock := func() time.Time { return *now }
	return newStage(t, func(c *HouseConfig) {
		c.OpenLedger, c.Now = realLedger(clock), clock
		if change != nil {
			change(c)
		}
	})
}

// A mailbox that was deleted and made again has a UIDVALIDITY above the old one, also
// if the clock went back, if somebody else deleted it, and if it had another name.
func TestMailboxMadeAgain(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := ledgerStage(t, &now, nil)
	defer s.end()
	v := newSeen()
	ctx := t.Context()
	last := mail.UIDValidity(0)
	for round, undo := range []func(){
		func() { must(t, s.a.Delete(ctx, "A")) },
		func() { now = now.AddDate(-30, 0, 0); must(t, s.a.Delete(ctx, "A")) },
		func() { removeTree(t, s.dir("/m"), ".A") },
		func() { must(t, s.a.Rename(ctx, "A", "B")); must(t, s.a.Delete(ctx, "B")) },
		func() {
			must(t, maildir.RenameFolders(s.dir("/m"), []maildir.RenamePair{{Old: ".A", New: ".C"}})) // another process
		},
		func() { now = now.AddDate(60, 0, 0); must(t, s.a.Delete(ctx, "A")) },
	} {
		must(t, s.a.Create(ctx, "A", nil))
		s.write("A", fmt.Sprint("round ", round))
		must(t, v.look(s.a, "A"))
		if st := s.state("A"); st.validity <= last {
			t.Errorf("round %d: UIDVALIDITY %d after %d", round, st.validity, last)
		} else {
			last = st.validity
		}
		undo()
	}
	must(t, v.look(s.a, "C"))
}

// A folder that another program removes and makes again may keep its UIDVALIDITY, but
// no UID comes twice.
func TestFolderMadeAgainByAnother(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := ledgerStage(t, &now, nil)
	defer s.end()
	v := newSeen()
	must(t, s.a.Create(t.Context(), "A", nil))
	for range 3 {
		for i := range 3 {
			s.write("A", fmt.Sprint("text ", i, " of ", len(v.text)))
		}
		must(t, v.look(s.a, "A"))
		removeTree(t, s.dir("/m"), ".A")
		must(t, maildir.MakeFolder(s.dir("/m"), ".A", 0o700))
	}
	if len(v.text) != 9 {
		t.Errorf("%d UIDs for 9 messages", len(v.text))
	}
}

// What the account knows goes along with a renamed mailbox, while it is in use too.
func TestMarksFollowARename(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := ledgerStage(t, &now, nil)
	defer s.end()
	ctx := t.Context()
	for _, n := range []mail.Name{"A", "A/b"} {
		must(t, s.a.Create(ctx, n, nil))
		s.write(n, "in "+string(n))
	}
	before := map[mail.Name]state{"B": s.state("A"), "B/b": s.state("A/b")}
	open := s.mailbox("A/b")
	must(t, s.a.Rename(ctx, "A", "B"))
	if name := *s.a.s.open[keyOf(s.dir("/m/.B.b"))].name.Load(); name != "B/b" {
		t.Errorf("in use it is known as %s", name)
	}
	open.Release()
	for n, was := range before {
		if got := s.state(n); !got.equal(was) {
			t.Errorf("%s: %+v was %+v", n, got, was)
		}
	}
	for dir, n := range map[string]mail.Name{".B": "B", ".B.b": "B/b"} {
		removeTree(t, s.dir("/m/"+dir), "postrider")
		got := s.state(n)
		if got.validity != before[n].validity || len(got.uids) != 1 || got.uids[0] <= before[n].uids[0] {
			t.Errorf("%s without its index: %+v, was %+v", n, got, before[n])
		}
	}
}

// removeTree removes a directory as rm -r does.
func removeTree(t *testing.T, parent vfs.Dir, name string) {
	t.Helper()
	d, err := parent.OpenDir(name)
	must(t, err)
	var all []string
	var types []vfs.Type
	must(t, d.List(func(n string, ty vfs.Type) bool { all, types = append(all, n), append(types, ty); return true }))
	for i, n := range all {
		if types[i] == vfs.Directory {
			removeTree(t, d, n)
		} else {
			must(t, d.Remove(n))
		}
	}
	must(t, d.Sync())
	must(t, parent.RemoveDir(name))
	must(t, parent.Sync())
}

// treeChange is a command that changes the tree, and whether what it promised is there.
type treeChange struct {
	name string
	run  func(ctx context.Context, a *Account) error
	done func(tree string) bool
}

func treeChanges() []treeChange {
	return []treeChange{
		{"create", func(ctx context.Context, a *Account) error { return a.Create(ctx, "X/y", []string{`\Sent`}) },
			func(tree string) bool { return has(tree, "X/y") }},
		{"create again", func(ctx context.Context, a *Account) error {
			return errors.Join(a.Delete(ctx, "A/b"), a.Create(ctx, "A/b", nil))
		}, func(tree string) bool { return has(tree, "A/b") }},
		{"rename", func(ctx context.Context, a *Account) error { return a.Rename(ctx, "A", "X") },
			func(tree string) bool { return has(tree, "X") && has(tree, "X/b") && !has(tree, "A") }},
		{"rename INBOX", func(ctx context.Context, a *Account) error { return a.Rename(ctx, "INBOX", "Old") },
			func(tree string) bool { return has(tree, "Old") }},
		{"delete", func(ctx context.Context, a *Account) error { return a.Delete(ctx, "A/b") },
			func(tree string) bool { return !has(tree, "A/b") }},
		{"subscribe", func(ctx context.Context, a *Account) error { return a.Subscribe(ctx, "A/b") },
			func(tree string) bool { return strings.Contains(tree, "A/b!") }},
		{"unsubscribe", func(ctx context.Context, a *Account) error { return a.Unsubscribe(ctx, "A") },
			func(tree string) bool { return !strings.Contains(tree, "A!") && !strings.Contains(tree, "A+!") }},
	}
}

// furnish makes the mailboxes that the tree changes are about, and notes what they show.
func (s *stage) furnish() *seen {
	v := newSeen()
	for _, n := range []mail.Name{"A", "A/b"} {
		must(s.t, s.a.Create(s.t.Context(), n, nil))
	}
	must(s.t, s.a.Subscribe(s.t.Context(), "A"))
	for _, n := range []mail.Name{"INBOX", "A", "A/b"} {
		for i := range 3 {
			s.write(n, fmt.Sprint(n, " ", i))
		}
		must(s.t, v.look(s.a, n))
	}
	return v
}

func (v *seen) clone() *seen { return &seen{maps.Clone(v.text), maps.Clone(v.next)} }

// inspect opens what is left of an account, demands that every message is there once,
// that what clients know holds, and that the account is of use.
func inspect(t *testing.T, fsys vfs.FS, now time.Time, v *seen, change treeChange, acked bool) error {
	clock := func() time.Time { return now }
	h := NewHouse(HouseConfig{FS: fsys, Unique: maildir.NewUnique("h", 9, nil), Fsync: true, Now: clock, OpenLedger: realLedger(clock)})
	defer h.Close()
	a, err := h.Open(t.Context(), Config{Root: "/m"})
	if err != nil {
		return err
	}
	defer a.Close()
	if tree := show(t, a); acked && !change.done(tree) {
		return fmt.Errorf("not done any more: %s", tree)
	}
	there := map[string]int{}
	for _, n := range []mail.Name{"INBOX", "A", "A/b", "X", "X/b", "X/y", "Old"} {
		if err := v.look(a, n); err != nil {
			return err
		}
		box, err := a.Mailbox(t.Context(), n)
		if errors.Is(err, ErrNoMailbox) {
			continue
		}
		if err != nil {
			return err
		}
		for _, m := range box.Snapshot().All(0) {
			r, err := box.OpenMessage(t.Context(), m.UID)
			if err != nil {
				return err
			}
			var text strings.Builder
			if _, err := r.WriteTo(&text); err != nil {
				return err
			}
			r.Close()
			there[strings.TrimSpace(text.String())]++
		}
		box.Release()
	}
	for _, n := range []string{"INBOX", "A", "A/b"} {
		for i := range 3 {
			text := fmt.Sprint(n, " ", i)
			deleted := n == "A/b" && (change.name == "delete" || change.name == "create again")
			if got := there[text]; got > 1 || got == 0 && !deleted {
				return fmt.Errorf("%q is there %d times", text, got)
			}
		}
	}
	return nil
}

// Power is lost before every operation of a change of the tree, with none, all and a
// part of what was not synced on the disk.
func TestTreeChangesSurvivePowerLoss(t *testing.T) {
	for _, change := range treeChanges() {
		t.Run(change.name, func(t *testing.T) {
			type moment struct {
				fs    *memfs.FS
				acked bool
				where string
			}
			var all []moment
			now := time.Unix(1_800_000_000, 0)
			armed, acked := false, false
			var disk *memfs.FS
			moments := func(where string) {
				for k := range 4 {
					n := 0
					keep := func(string) bool { n++; return k == 1 || k > 1 && (n*7+len(all))%k == 0 }
					all = append(all, moment{disk.CrashClone(keep), acked, fmt.Sprintf("%s, kept %d", where, k)})
				}
			}
			s := ledgerStage(t, &now, func(c *HouseConfig) {
				disk = c.FS.(*memfs.FS)
				c.FS = faultfs.Wrap(c.FS, func(op faultfs.Op) error {
					if quiet := []string{"stat", "open", "opendir", "list", "statself", "readat", "filestat", "lock"}; armed && !slices.Contains(quiet, op.Kind) {
						moments("before " + op.Kind + " " + op.Path)
					}
					return nil
				})
			})
			v := s.furnish()
			armed = true
			must(t, change.run(t.Context(), s.a))
			armed, acked = false, true
			moments("at the end")
			s.end()
			for _, m := range all {
				if err := inspect(t, m.fs, now, v.clone(), change, m.acked); err != nil {
					t.Errorf("%s: %v", m.where, err)
				}
			}
			if len(all) < 12 {
				t.Errorf("%d moments only", len(all))
			}
		})
	}
}

// Every operation of a change of the tree fails in turn.
func TestTreeChangesWithAFailingOperation(t *testing.T) {
	for _, change := range treeChanges() {
		for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EDQUOT, syscall.EMFILE} {
			t.Run(change.name+" "+errno.Error(), func(t *testing.T) {
				for n, failed := 1, true; failed; n++ {
					failed = false
					now := time.Unix(1_800_000_000, 0)
					armed, seen, where := false, 0, ""
					var disk *memfs.FS
					s := ledgerStage(t, &now, func(c *HouseConfig) {
						disk = c.FS.(*memfs.FS)
						c.FS = faultfs.Wrap(c.FS, func(op faultfs.Op) error {
							if !armed {
								return nil
							}
							if seen++; seen != n {
								return nil
							}
							failed, where = true, op.Kind+" "+op.Path
							return errno
						})
					})
					v := s.furnish()
					armed = true
					err := change.run(t.Context(), s.a)
					armed = false
					if got := inspect(t, disk, now, v, change, err == nil); got != nil {
						t.Errorf("operation %d, %s (the command: %v): %v", n, where, err, got)
					}
					s.end()
				}
			})
		}
	}
}

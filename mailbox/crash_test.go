package mailbox_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// remains are what a power loss left, and whether the change had been acknowledged.
type remains struct {
	fs    *memfs.FS
	where string
	acked bool
}

// keepers are the ways in which what is not on disk survives.
func keepers(seed uint64) map[string]func(string) bool {
	r := rand.New(rand.NewPCG(seed, 1))
	half := func(string) bool { return r.IntN(2) == 0 }
	return map[string]func(string) bool{
		"none": func(string) bool { return false }, "all": func(string) bool { return true },
		"some": half, "others": half, "few": func(string) bool { return r.IntN(5) == 0 }, "most": func(string) bool { return r.IntN(5) > 0 },
	}
}

// After a power loss at any operation nothing that was acknowledged is missing, no UID
// has changed or been given twice, and no message is there twice.
func TestCrash(t *testing.T) {
	for _, sc := range scenarios() {
		t.Run(sc.name, func(t *testing.T) {
			before, after := outcome(t, sc)
			w := newSite(t, memfs.Options{})
			var all []remains
			acked, armed := false, false
			snap := func(where string) {
				for how, keep := range keepers(uint64(len(all))) {
					all = append(all, remains{w.fs.CrashClone(keep), where + ", kept: " + how, acked})
				}
			}
			w.over = faultfs.Wrap(w.fs, func(op faultfs.Op) error {
				switch op.Kind {
				case "stat", "open", "list", "statself", "readat", "opendir", "lock":
				default:
					if armed {
						snap(fmt.Sprintf("before %s %s", op.Kind, op.Path))
					}
				}
				return nil
			})
			boxes := w.furnish()
			if sc.outside != nil {
				sc.outside(w, boxes)
			}
			armed = true
			if err := sc.run(t.Context(), boxes); err != nil {
				t.Fatal(err)
			}
			acked = true
			snap("at the end")
			armed = false
			for _, b := range boxes {
				b.done()
			}
			for _, r := range all {
				from := before
				if r.acked {
					from = after
				}
				if err := inspect(w.on(r.fs), from, after); err != nil {
					t.Errorf("%s: %v", r.where, err)
				}
			}
		})
	}
}

// inspect opens what is left and looks at it; then it goes on working.
func inspect(w *site, before, after [2]state) error {
	var boxes [2]*box
	for i, name := range []string{"a", "b"} {
		b, err := w.open(name, nil)
		if err != nil {
			return fmt.Errorf("opening %s: %w", name, err)
		}
		boxes[i] = b
		if err := b.Check(w.t.Context()); err != nil {
			return fmt.Errorf("check of %s: %w", name, err)
		}
	}
	found, err := states(boxes)
	if err == nil {
		err = judge(before, after, found)
	}
	if err != nil {
		return err
	}
	uid, err := boxes[0].append(body(999), 0)
	if err != nil {
		return fmt.Errorf("appending afterwards: %w", err)
	}
	if uid < found[0].next {
		return fmt.Errorf("UID %d is below UIDNEXT %d", uid, found[0].next)
	}
	return errors.Join(boxes[0].Check(w.t.Context()), boxes[0].close(), boxes[1].close())
}

// A failing operation, whichever it is, costs nothing but that command, and what is
// found afterwards is one of the two states.
func TestFailingOperation(t *testing.T) {
	for _, sc := range scenarios() {
		for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EDQUOT, syscall.EMFILE} {
			t.Run(sc.name+" "+errno.Error(), func(t *testing.T) {
				before, after := outcome(t, sc)
				for n := 1; ; n++ {
					what, err := failNth(t, sc, n, errno, before, after)
					if err != nil {
						t.Errorf("operation %d, %s: %v", n, what, err)
					}
					if what == "" {
						break
					}
				}
			})
		}
	}
}

func failNth(t *testing.T, sc scenario, n int, errno error, before, after [2]state) (what string, err error) {
	w := newSite(t, memfs.Options{})
	armed := false
	seen := 0
	w.over = faultfs.Wrap(w.fs, func(op faultfs.Op) error {
		if armed {
			if seen++; seen == n {
				what = op.Kind + " " + op.Path
				return errno
			}
		}
		return nil
	})
	boxes := w.furnish()
	if sc.outside != nil {
		sc.outside(w, boxes)
	}
	armed = true
	failed := sc.run(t.Context(), boxes)
	armed = false
	from := before
	if failed == nil {
		from = after
	}
	if sc.outside != nil && failed == nil && what != "" {
		from = before // what could not be looked at comes with the next look
	}
	w.clock.advance(time.Minute)
	for _, b := range boxes {
		if _, err := b.Refresh(t.Context()); err != nil {
			return what, fmt.Errorf("the next command on %s: %w", b.name, err)
		}
		if err := b.Check(t.Context()); err != nil {
			return what, fmt.Errorf("check of %s: %w", b.name, err)
		}
	}
	found, err := states(boxes)
	if err == nil {
		err = judge(from, after, found)
	}
	if err != nil {
		return what, fmt.Errorf("(the command: %v) %w", failed, err)
	}
	for _, b := range boxes {
		if err := b.close(); err != nil {
			return what, err
		}
	}
	return what, inspect(w.on(w.fs), found, found)
}

package mailbox_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// A MOVE that ends half-way, by a power loss or an operation that fails, leaves every
// message with its keywords, in whichever of the two mailboxes it is found.
func TestMoveKeepsKeywords(t *testing.T) {
	for _, to := range []int{1, 0} {
		moments, failed := 0, true
		for n := 1; failed; n++ {
			failed = false
			w := newSite(t, memfs.Options{})
			armed, seen := false, 0
			var left []*memfs.FS
			w.over = faultfs.Wrap(w.fs, func(op faultfs.Op) error {
				if !armed {
					return nil
				}
				for _, keep := range keepers(uint64(n)) {
					if n == 1 {
						left = append(left, w.fs.CrashClone(keep))
					}
				}
				if seen++; seen == n && n > 1 {
					failed = true
					return syscall.EIO
				}
				return nil
			})
			boxes := w.furnish()
			long := strings.Repeat("k", 3000) // a note of its own each
			for uid := mail.UID(1); uid <= 3; uid++ {
				res, err := boxes[0].SetFlags(t.Context(), mail.SetOf(uid), mail.FlagChange{Op: mail.AddFlags, Keywords: []string{long}}, 0)
				if err != nil {
					t.Fatal(err)
				}
				boxes[0].durable(res.Snapshot)
			}
			armed = true
			_, err := mailbox.Move(t.Context(), boxes[0].Mailbox, mail.UIDSet{{First: 1, Last: 5}}, boxes[to].Mailbox)
			armed = false
			if err != nil && !failed {
				t.Fatal(err)
			}
			left = append(left, w.fs)
			for _, fsys := range left {
				moments++
				if err := keywordsStay(w.on(fsys), long); err != nil {
					t.Errorf("operation %d, to %d (the command: %v): %v", n, to, err, err)
				}
			}
			failed = failed || n == 1
		}
		if moments < 50 {
			t.Errorf("%d moments only", moments)
		}
	}
}

func keywordsStay(w *site, long string) error {
	there := map[string]int{}
	for _, name := range []string{"a", "b"} {
		b, err := w.open(name, nil)
		if err != nil {
			return err
		}
		for _, m := range b.Snapshot().All(0) {
			text, err := b.text(m.UID)
			if err != nil {
				return err
			}
			there[text]++
			var want []string
			for i := 1; i <= 5; i++ {
				if text == body(i) {
					want = []string{"Work"}
				}
				if text == body(i) && i <= 3 {
					want = append(want, long)
				}
			}
			if got := b.Snapshot().KeywordsOf(m); !slices.Equal(got, want) {
				return fmt.Errorf("%q in %s has %d keywords, not %d", text, name, len(got), len(want))
			}
		}
		if err := b.Check(w.t.Context()); err != nil {
			return err
		}
		if err := b.close(); err != nil {
			return err
		}
		if again, err := w.open(name, nil); err != nil {
			return err
		} else if err := again.close(); err != nil {
			return err
		}
	}
	for i := 1; i <= 5; i++ {
		if there[body(i)] != 1 {
			return fmt.Errorf("%q is there %d times", body(i), there[body(i)])
		}
	}
	return nil
}

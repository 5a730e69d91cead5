package mailbox_test

import (
	"context"
	"slices"
	"testing"

	"postrider/mail"
	"postrider/mailbox"
)

// What the fourth promise costs and brings, that the cost of a change is the size of the
// change: snapshots that share what did not change, against one array of messages that is
// copied for each change and compared to find it. The rows with a snapshot do more: the file
// is renamed and the journal written. See
// BenchmarkPromise of package account.
func BenchmarkPromise(b *testing.B) {
	b.Run("cost of a change", func(b *testing.B) {
		m, f := newTree(b, many).openWith(func(c *mailbox.Config) { c.Fsync = false })
		v := mailbox.NewView(m.Snapshot())
		first := m.Snapshot().UID(0)
		b.Run("a flag in 100,000 and telling it, no fsync/with", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				res, err := m.SetFlags(context.Background(), mail.SetOf(first), mail.FlagChange{Flags: flagOf(i)}, 0)
				if err != nil {
					b.Fatal(err)
				}
				for range v.Sync(res.Snapshot, true) {
				}
			}
		})
		array := make([]mailbox.Message, 0, many)
		for _, msg := range m.Snapshot().All(0) {
			array = append(array, msg)
		}
		b.Run("a flag in 100,000 and telling it, no fsync/without", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				next := slices.Clone(array)
				next[0].Flags, next[0].ModSeq = flagOf(i), next[0].ModSeq+1
				changed := 0
				for k := range next {
					if next[k].UID != array[k].UID || next[k].ModSeq != array[k].ModSeq {
						changed++
					}
				}
				if array = next; changed != 1 {
					b.Fatal(changed)
				}
			}
		})
		b.Run("a look at each of 100,000/with", func(b *testing.B) {
			for b.Loop() {
				total(b, func(yield func(*mailbox.Message) bool) {
					for _, msg := range m.Snapshot().All(0) {
						if !yield(&msg) {
							return
						}
					}
				})
			}
		})
		b.Run("a look at each of 100,000/without", func(b *testing.B) {
			for b.Loop() {
				total(b, func(yield func(*mailbox.Message) bool) {
					for i := range array {
						if !yield(&array[i]) {
							return
						}
					}
				})
			}
		})
		if err := m.Close(); err != nil {
			b.Fatal(err)
		}
		f.Close()
	})
}

func flagOf(i int) mail.Flags {
	if i%2 == 0 {
		return mail.Flagged
	}
	return mail.Seen
}

// total looks at the flags of all messages.
func total(b *testing.B, all func(func(*mailbox.Message) bool)) {
	n := 0
	for msg := range all {
		if msg.Flags != 0 {
			n++
		}
	}
	if n == 0 {
		b.Fatal("no message has flags")
	}
}

package account

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"postrider/mail"
	"postrider/maildir"
	"postrider/vfs"
)

// What durability costs: the same commands with fsync (IMAP_FSYNC=1) and without, on the
// file system of the temporary directory (set TMPDIR to choose it).
func BenchmarkDurability(b *testing.B) {
	for _, fsync := range []bool{true, false} {
		h := NewHouse(HouseConfig{FS: vfs.OS(), Unique: maildir.NewUnique("h", 1, nil), Fsync: fsync, Boot: "bench", OpenLedger: realLedger(time.Now)})
		a, err := h.Open(b.Context(), Config{Root: filepath.Join(b.TempDir(), "Maildir")})
		if err != nil {
			b.Fatal(err)
		}
		box, err := a.Mailbox(b.Context(), mail.Inbox)
		if err != nil {
			b.Fatal(err)
		}
		first := appendOne(b, box)
		b.Run(fmt.Sprintf("append/fsync=%v", fsync), func(b *testing.B) {
			for b.Loop() {
				appendOne(b, box)
			}
		})
		b.Run(fmt.Sprintf("store/fsync=%v", fsync), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				storeOne(b, box, first, i)
			}
		})
		b.Run(fmt.Sprintf("store by eight/fsync=%v", fsync), func(b *testing.B) {
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					storeOne(b, box, first, i)
				}
			})
		})
		box.Release()
		if err := h.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func appendOne(b *testing.B, box *Handle) mail.UID {
	m, err := box.NewAppend(b.Context(), 1000)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := m.Write(make([]byte, 1000)); err != nil {
		b.Fatal(err)
	}
	uid, _, s, err := m.Commit(b.Context(), 0, nil, time.Time{})
	if err == nil {
		err = box.Durable(b.Context(), s)
	}
	if err != nil {
		b.Fatal(err)
	}
	return uid
}

func storeOne(b *testing.B, box *Handle, uid mail.UID, i int) {
	res, err := box.SetFlags(b.Context(), mail.SetOf(uid), mail.FlagChange{Flags: mail.Flags(i%2 + 1)}, 0)
	if err == nil {
		err = box.Durable(b.Context(), res.Snapshot)
	}
	if err != nil {
		b.Error(err)
	}
}

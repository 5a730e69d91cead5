package account

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"postrider/maildir"
	"postrider/vfs"
	"postrider/watch"
)

var stormTime = flag.Duration("storm", 2*time.Second, "how long TestRenamesWithoutPause runs, each way")

// Another program renames files between new and cur and changes their flags, as fast
// as it can, while we read the directories all the time: no message may vanish and
// none may come ("make storm" runs it for ten minutes).
func TestRenamesWithoutPause(t *testing.T) {
	for _, how := range []string{"watched", "unwatched", "two processes"} {
		t.Run(how, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "Maildir")
			files := makeMail(t, root, 2000)
			var houses []*House
			for i := range map[string]int{"two processes": 2}[how] + 1 {
				c := HouseConfig{FS: vfs.OS(), Unique: maildir.NewUnique("h", i+1, nil), OpenLedger: realLedger(time.Now), Fsync: true}
				if how != "unwatched" && i < 2 {
					w, err := watch.New(watch.Options{})
					must(t, err)
					t.Cleanup(func() { must(t, w.Close()) })
					c.Watcher = w
				}
				houses = append(houses, NewHouse(c))
			}
			var boxes []*Handle
			for _, h := range houses {
				a, err := h.Open(t.Context(), Config{Root: root})
				must(t, err)
				box, err := a.Mailbox(t.Context(), "INBOX")
				must(t, err)
				boxes = append(boxes, box)
			}
			ctx, cancel := context.WithTimeout(t.Context(), *stormTime)
			defer cancel()
			done := make(chan int)
			go func() { done <- renameAll(ctx, t, root, files) }()
			looks := 0
			for ctx.Err() == nil {
				for _, box := range boxes {
					stays(t, box, len(files))
				}
				looks++
			}
			t.Logf("%d renames, %d looks", <-done, looks)
			for i, box := range boxes {
				stays(t, box, len(files))
				must(t, box.Check(t.Context()))
				box.Release()
				must(t, houses[i].Close())
			}
		})
	}
}

func makeMail(t *testing.T, root string, n int) (files []string) {
	for _, d := range []string{"cur", "new", "tmp"} {
		must(t, os.MkdirAll(filepath.Join(root, d), 0o700))
	}
	for i := range n {
		name := fmt.Sprintf("cur/%d.M%dP1.host:2,", 1_700_000_000+i, i)
		must(t, os.WriteFile(filepath.Join(root, name), []byte("Subject: x\n\nx\n"), 0o600))
		files = append(files, name)
	}
	return files
}

// renameAll renames files at random until ctx ends.
func renameAll(ctx context.Context, t *testing.T, root string, files []string) (renames int) {
	r := rand.New(rand.NewPCG(1, 2))
	infos := []string{":2,", ":2,S", ":2,FS", ":2,RS", "", ":2,Sab"}
	for ; ctx.Err() == nil; renames++ {
		i := r.IntN(len(files))
		if renames%2 == 0 {
			i = 7 // one of them all the time
		}
		base := filepath.Base(files[i])
		if k := len(base) - len(filepath.Ext(base)); k > 0 {
			base = base[:k] + ".host"
		}
		to := "cur/" + base + infos[r.IntN(len(infos))]
		if r.IntN(10) == 0 {
			to = "new/" + base
		}
		if err := os.Rename(filepath.Join(root, files[i]), filepath.Join(root, to)); err != nil {
			t.Error(err)
			return renames
		}
		files[i] = to
	}
	return renames
}

// stays demands that the mailbox holds the UIDs 1 to n and has given no other.
func stays(t *testing.T, box *Handle, n int) {
	t.Helper()
	s, err := box.Refresh(t.Context())
	must(t, err)
	if s.Len() != n || int(s.UIDNext()) != n+1 {
		t.Fatalf("%d messages, UIDNEXT %d; there are %d", s.Len(), s.UIDNext(), n)
	}
}

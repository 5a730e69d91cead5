package account

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"postrider/mail"
	"postrider/maildir"
	"postrider/vfs/memfs"
)

// What has lain in the trash for longer than asked goes, and nothing else; it is looked
// at once an hour.
func TestPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHouse(HouseConfig{FS: memfs.New(memfs.Options{}), Unique: maildir.NewUnique("h", 1, time.Now), Fsync: true})
		a, err := h.Open(context.Background(), Config{Root: "/m", Style: PlainStyle()})
		must(t, err)
		purge := func(want int) {
			t.Helper()
			n, err := a.Purge(t.Context(), "Trash", 24*time.Hour)
			if n != want || err != nil {
				t.Errorf("%d went, %v, want %d", n, err, want)
			}
		}
		purge(0) // there is no trash
		must(t, a.Create(t.Context(), "Trash", nil))
		box, err := a.Mailbox(t.Context(), "Trash")
		must(t, err)
		add := func() mail.UID {
			d, err := box.NewAppend(t.Context(), 4)
			must(t, err)
			_, err = d.Write([]byte("a\r\n\r\n"))
			must(t, err)
			uid, _, _, err := d.Commit(t.Context(), 0, nil, time.Now().Add(-1000*time.Hour))
			must(t, err)
			return uid
		}
		add()
		marked := add()
		time.Sleep(20 * time.Hour)
		purge(0)
		young := add()
		_, err = box.SetFlags(t.Context(), mail.SetOf(marked), mail.FlagChange{Op: mail.AddFlags, Flags: mail.Flagged}, 0)
		must(t, err)
		time.Sleep(5 * time.Hour)
		purge(1)
		s := box.Snapshot()
		if s.Len() != 2 || s.UID(0) != marked || s.UID(1) != young {
			t.Errorf("%d messages are left", s.Len())
		}
		time.Sleep(20 * time.Hour)
		purge(2)
		add()
		time.Sleep(25 * time.Hour)
		purge(1)
		add()
		purge(0) // not again within the hour
		box.Release()
		must(t, a.Close())
		must(t, h.Close())
	})
}

package account

import (
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postrider/mail"
	"postrider/maildir"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// Making folders one after the other does not look into all that are there already.
func TestMakingManyFolders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened atomic.Int64
		fsys := faultfs.Wrap(memfs.New(memfs.Options{}), func(op faultfs.Op) error {
			if op.Kind == "opendir" && strings.HasPrefix(op.Path, "/m/.") {
				opened.Add(1)
			}
			return nil
		})
		h := NewHouse(HouseConfig{FS: fsys, Unique: maildir.NewUnique("h", 1, nil)})
		a, err := h.Open(t.Context(), Config{Root: "/m"})
		if err != nil {
			t.Fatal(err)
		}
		const n = 200
		for i := range n {
			if err := a.Create(t.Context(), mail.Name("f"+strconv.Itoa(i)), nil); err != nil {
				t.Fatal(err)
			}
		}
		if got := opened.Load(); got > 20*n {
			t.Errorf("%d folders cost %d openings of folders", n, got)
		}
		// What is no folder any more is found out all the same.
		root, err := fsys.OpenDir("/m")
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		d, err := root.OpenDir(".f0")
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if err := d.RemoveDir("cur"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(settled)
		tree, err := a.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := tree.Find("f0"); ok || len(tree.Nodes()) != n {
			t.Errorf("%d nodes, f0: %v", len(tree.Nodes()), ok)
		}
		a.Close()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
}

package mailbox_test

import (
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// dropCaches takes a mailbox's index files out of the page cache, and, where that is
// allowed, everything else.
func dropCaches(root string) {
	for _, name := range []string{"journal", "index", "cache"} {
		f, err := os.Open(filepath.Join(root, "postrider", name))
		if err != nil {
			continue
		}
		unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
		f.Close()
	}
	syscall.Sync()
	os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0)
}

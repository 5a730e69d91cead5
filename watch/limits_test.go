package watch

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// inside says that this process is the one that TestKernelLimits started.
const inside = "WATCH_TEST_INSIDE"

// The kernel's own limits, in a user namespace that has its own: what gets no watch, or
// no instance, is polled, and watched when the limit is raised.
func TestKernelLimits(t *testing.T) {
	if os.Getenv(inside) != "" {
		t.Run("watches", func(t *testing.T) { limited(t, "max_inotify_watches", "1", "sysctl fs.inotify.max_user_watches") })
		t.Run("instances", func(t *testing.T) { limited(t, "max_inotify_instances", "0", "sysctl fs.inotify.max_user_instances") })
		return
	}
	c := exec.Command(os.Args[0], "-test.run=^TestKernelLimits$", "-test.v")
	c.Env = append(os.Environ(), inside+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal("the kernel's limits can be lowered in a user namespace of the test's own alone; run as root, or where user namespaces may be made: ", err)
	}
	if err := c.Wait(); err != nil || !bytes.Contains(out.Bytes(), []byte("--- PASS: TestKernelLimits/instances")) {
		t.Errorf("%v\n%s", err, &out)
	}
}

// limited has a limit lowered, two directories watched, and it raised again.
func limited(t *testing.T, limit, low, remedy string) {
	path := "/proc/sys/user/" + limit
	set := func(n string) {
		t.Helper()
		must(t, os.WriteFile(path, []byte(n), 0))
	}
	set(low)
	defer set("1000")
	var l log
	w := start(t, realKernel(), Options{PollInterval: often, Logger: l.logger()})
	dirs := []string{t.TempDir(), t.TempDir()}
	a, b := see(t, w, dirs[0]), see(t, w, dirs[1])
	touch(t, dirs[1], "x")
	b.until(t, func() bool { return true })
	if b.Pushed() {
		t.Fatal("a watch beyond the limit")
	}
	if l.count(remedy) != 1 || l.count("level=WARN") != 1 {
		t.Errorf("logged %s", l.buf.String())
	}
	set("1000")
	eventually(t, "both are pushed", func() bool { return a.Pushed() && b.Pushed() })
	eventually(t, "it is logged", func() bool { return l.count("again") == 1 })
}

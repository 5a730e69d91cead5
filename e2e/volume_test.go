package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// volume is a small file system of its own on which one account's mail lies.
type volume struct {
	t       *testing.T
	dir     string // where it is mounted: the account's home
	fillers int
}

// mountVolume makes a file system of a kind over the account's home. It needs root,
// and says so: what these tests show nothing else shows.
func mountVolume(t *testing.T, a account, kind string) *volume {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("mounting a small file system needs root")
	}
	home := filepath.Dir(a.maildir)
	switch kind {
	case "tmpfs":
		run(t, "mount", "-t", "tmpfs", "-o", "size=3m,mode=755", "tmpfs", home)
	case "few inodes":
		run(t, "mount", "-t", "tmpfs", "-o", "size=64m,nr_inodes=160,mode=755", "tmpfs", home)
	case "ext4":
		image := filepath.Join(publicDir(t), "image")
		write(t, image, "", 0o600)
		if err := os.Truncate(image, 12<<20); err != nil {
			t.Fatal(err)
		}
		run(t, "mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", image)
		run(t, "mount", "-o", "loop", image, home)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(home, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", home, err)
		}
	})
	give(t, home)
	makeMaildir(t, a.maildir)
	return &volume{t: t, dir: home}
}

func run(t *testing.T, command string, args ...string) {
	t.Helper()
	c := exec.Command(command, args...)
	c.Env = append(os.Environ(), "PATH=/usr/sbin:/sbin:"+os.Getenv("PATH"))
	if c.Err != nil {
		c.Path, c.Err = filepath.Join("/usr/sbin", command), nil
	}
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", command, strings.Join(args, " "), err, out)
	}
}

// fill leaves no byte and no inode free.
func (v *volume) fill() {
	v.t.Helper()
	for full := false; !full; {
		v.fillers++
		f, err := os.Create(filepath.Join(v.dir, fmt.Sprint("filler", v.fillers)))
		if errors.Is(err, syscall.ENOSPC) {
			return
		}
		if err != nil {
			v.t.Fatal(err)
		}
		small := v.inodesOnly()
		for block := 64 << 10; !small && block > 0; {
			if _, err := f.Write(make([]byte, block)); errors.Is(err, syscall.ENOSPC) {
				block, full = block/2, true
			} else if err != nil {
				v.t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil && !errors.Is(err, syscall.ENOSPC) {
			v.t.Fatal(err)
		}
	}
}

// inodesOnly: there are few inodes, and more space than can be filled.
func (v *volume) inodesOnly() bool {
	var st syscall.Statfs_t
	if err := syscall.Statfs(v.dir, &st); err != nil {
		v.t.Fatal(err)
	}
	return st.Files < 200
}

// free removes what fill wrote.
func (v *volume) free() {
	all, err := filepath.Glob(filepath.Join(v.dir, "filler*"))
	if err != nil {
		v.t.Fatal(err)
	}
	for _, name := range all {
		if err := os.Remove(name); err != nil {
			v.t.Fatal(err)
		}
	}
}

func appendCommand(folder, subject string, size int) string {
	text := "Subject: " + subject + "\r\n\r\n" + strings.Repeat("0123456789012345678901234567890123456789012345678901234567890123456789ab\r\n", size/74)
	return fmt.Sprintf("APPEND %s {%d+}\r\n%s", folder, len(text), text)
}

// tagged is the last line of an answer.
func tagged(all []string) string { return all[len(all)-1] }

func (k *talk) login(a account) {
	k.t.Helper()
	k.line()
	k.ok("LOGIN " + a.user + " " + password)
}

// TestFullVolume: on a full file system users log in, read, flag, delete and expunge,
// whatever else is answered NO; new mail waits, and all heals when space returns. The
// server is killed and started again while it is full, too.
func TestFullVolume(t *testing.T) {
	for _, kind := range []string{"tmpfs", "ext4", "few inodes"} {
		t.Run(kind, func(t *testing.T) {
			s := startServer(t)
			a := s.account(t)
			v := mountVolume(t, a, kind)
			k := dial(t, s.port)
			k.login(a)
			k.ok("CREATE Work")
			for i := range 30 {
				k.ok(appendCommand("INBOX", fmt.Sprint("message ", i), 3000))
			}
			k.ok("SELECT Work")
			k.ok("SELECT INBOX")
			k.ok(`STORE 1:30 +FLAGS.SILENT (kept)`)
			waiting := filepath.Join(a.maildir, "tmp", "1700000000.waiting.host")
			write(t, waiting, "Subject: waiting\n\nx\n", 0o600)
			give(t, waiting)
			v.fill()
			if err := os.Rename(waiting, filepath.Join(a.maildir, "new", filepath.Base(waiting))); err != nil {
				t.Fatal(err)
			}

			for round := range 2 {
				if round == 1 { // the server dies and comes back on the full disk
					s.cmd.Process.Signal(syscall.SIGKILL)
					<-s.ended
					s.start(t)
				}
				k = dial(t, s.port)
				k.login(a)
				k.ok("LIST \"\" *")
				k.ok("SELECT INBOX")
				if all := strings.Join(k.ok("UID FETCH 5 (FLAGS ENVELOPE BODY[TEXT])"), "\n"); !strings.Contains(all, "message 4") || !strings.Contains(all, "kept") {
					t.Errorf("message 5 is %q", all)
				}
				k.ok("NOOP")
				k.ok("STATUS Work (MESSAGES UIDNEXT)")
				for i := range 40 { // as long as the reserve must last for an ordinary day
					k.ok(fmt.Sprintf(`UID STORE %d FLAGS (\Seen kept)`, 10+i%10))
					k.ok(fmt.Sprintf(`UID STORE %d FLAGS (\Answered kept)`, 10+i%10))
				}
				for _, command := range []string{appendCommand("INBOX", "no room", 100_000), "CREATE Another" + strconv.Itoa(round)} {
					got := tagged(k.do(command))
					small := strings.HasPrefix(command, "CREATE") && kind == "tmpfs" // directories take no space there
					if !strings.HasPrefix(got, "t NO [OVERQUOTA]") && !(small && strings.HasPrefix(got, "t OK")) {
						t.Errorf("%.20s: %s", command, got)
					}
				}
				gone := fmt.Sprint(20 + round)
				k.ok(`UID STORE ` + gone + ` +FLAGS (\Deleted)`)
				if all := k.ok("EXPUNGE"); len(all) < 2 {
					t.Errorf("EXPUNGE on a full disk: %q", all)
				}
				v.fill()
			}
			k.ok("NOOP")

			v.free()
			k.ok(appendCommand("INBOX", "there is room", 3000))
			uids := map[string]string{}
			for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
				k.ok("NOOP")
				clear(uids)
				for _, m := range regexp.MustCompile(`UID (\d+) FLAGS \(([^)]*)\) ENVELOPE \(NIL "([^"]*)"`).FindAllStringSubmatch(strings.Join(k.ok("UID FETCH 1:* (UID FLAGS ENVELOPE)"), "\n"), -1) {
					uids[m[3]] = m[1] + " " + m[2]
				}
				if uids["waiting"] != "" {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("the delivery does not come: %v", uids)
				}
			}
			for i := range 30 {
				got := uids[fmt.Sprint("message ", i)]
				if deleted := i == 19 || i == 20; deleted != (got == "") || !deleted && (!strings.HasPrefix(got, fmt.Sprint(i+1, " ")) || !strings.Contains(got, "kept")) {
					t.Errorf("message %d is %q", i, got)
				}
			}
			if len(uids) != 30 {
				t.Errorf("%d messages: %v", len(uids), uids)
			}
			k.ok("CREATE Later")
			k.ok("UID COPY 1:5 Later")
			k.ok("UID MOVE 6 Work")
		})
	}
}

// TestReadOnlyVolume: mail on a file system that was mounted read-only is read; what
// would change it is answered NO; and all goes on when it can be written.
func TestReadOnlyVolume(t *testing.T) {
	s := startServer(t)
	a := s.account(t)
	v := mountVolume(t, a, "ext4")
	k := dial(t, s.port)
	k.login(a)
	k.ok("CREATE Work")
	for i := range 3 {
		k.ok(appendCommand("INBOX", fmt.Sprint("message ", i), 300))
	}
	k.ok("SELECT INBOX")
	k.ok(`STORE 2 +FLAGS (\Flagged kw)`)
	k.ok("LOGOUT")
	s.stop(t)
	if err := a.deliver("INBOX", "Subject: late\n\nx\n"); err != nil {
		t.Fatal(err)
	}
	run(t, "mount", "-o", "remount,ro", v.dir)
	s.start(t)
	k = dial(t, s.port)
	k.login(a)
	k.ok("LIST \"\" *")
	k.ok("STATUS INBOX (MESSAGES)")
	for _, command := range []string{"EXAMINE INBOX", "SELECT INBOX"} {
		if all := k.ok(command); !strings.HasPrefix(tagged(all), "t OK [READ-ONLY]") {
			t.Errorf("%s: %s", command, tagged(all))
		}
		if all := strings.Join(k.ok("UID FETCH 2 (FLAGS ENVELOPE BODY[TEXT])"), "\n"); !strings.Contains(all, "message 1") || !strings.Contains(all, `\Flagged kw`) {
			t.Errorf("%s: message 2 is %q", command, all)
		}
	}
	for _, command := range []string{`STORE 1 +FLAGS (\Seen)`, `STORE 1 +FLAGS (other)`, "COPY 1 Work", "MOVE 1 Work", appendCommand("INBOX", "no", 100), "CREATE New", "DELETE Work", "RENAME Work Other", "SUBSCRIBE Work"} {
		if got := tagged(k.do(command)); !strings.HasPrefix(got, "t NO ") || strings.Contains(got, "SERVERBUG") {
			t.Errorf("%.20s: %s", command, got)
		}
	}
	k.ok("NOOP")
	s.stop(t)
	run(t, "mount", "-o", "remount,rw", v.dir)
	s.start(t)
	k = dial(t, s.port)
	k.login(a)
	if all := strings.Join(k.ok("SELECT INBOX"), "\n"); !strings.Contains(all, "* 4 EXISTS") {
		t.Errorf("SELECT: %s", all)
	}
	k.ok(`STORE 1 +FLAGS (\Seen)`)
	k.ok("UID COPY 1:* Work")
}

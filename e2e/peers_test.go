package e2e_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// peer is another IMAP server that speaks on standard input and output, logged in,
// as whoever owns the mail. It is a command for the shell: mbsync's Tunnel takes it
// with a Maildir as its argument.
type peer struct {
	name   string
	script string
}

// command is the shell command of a session on a Maildir.
func (p peer) command(maildir string) string { return p.script + " " + maildir }

// dial starts a session on a Maildir.
func (p peer) dial(t *testing.T, maildir string) *talk {
	t.Helper()
	c, err := onSocket(t, nil, p.script, maildir)
	if err != nil {
		t.Fatal(err)
	}
	k := newTalk(t, c)
	if line := k.line(); !strings.HasPrefix(line, "* PREAUTH") {
		t.Fatalf("%s greets with %q", p.name, line)
	}
	return k
}

// onSocket starts a command whose standard input and output are a socket, which
// stands for two pipes. The test demands that it exits with 0.
func onSocket(t *testing.T, env []string, words ...string) (net.Conn, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	said := new(output)
	c := exec.Command(words[0], words[1:]...)
	c.Stdin, c.Stdout, c.Stderr = theirs, theirs, said
	c.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	if err := c.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := c.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", strings.Join(words, " "), err, said)
		}
	})
	return net.FileConn(ours)
}

// asOwner is the beginning of a shell command that runs as who owns the mail.
func asOwner() string {
	if os.Geteuid() != 0 {
		return ""
	}
	id := strconv.Itoa(mailID)
	return "setpriv --reuid=" + id + " --regid=" + id + " --clear-groups "
}

// courierPeer is the imapd of Courier-IMAP 5.0 where scripts/setup.sh unpacked it.
// It wants to find its user in the passwd file, so it is given one.
func courierPeer(t *testing.T, settings ...string) peer {
	t.Helper()
	out, err := exec.Command("../scripts/setup.sh", "courier-dir").Output()
	root := strings.TrimSpace(string(out))
	if err == nil {
		_, err = os.Stat(filepath.Join(root, "usr/bin/imapd"))
	}
	if err != nil {
		t.Fatalf("%v; scripts/setup.sh unpacks Courier-IMAP", err)
	}
	dir := publicDir(t)
	libs := filepath.Join(root, "usr/lib")
	arch, err := filepath.Glob(filepath.Join(libs, "*-linux-gnu*"))
	if err != nil || len(arch) != 1 {
		t.Fatalf("libraries in %s: %v, %v", libs, arch, err)
	}
	env := []string{
		"PATH=/usr/bin:/bin", "HOME=" + dir, "LD_LIBRARY_PATH=" + libs + ":" + arch[0],
		"IMAP_CAPABILITY='IMAP4rev1 UIDPLUS CHILDREN NAMESPACE QUOTA IDLE'", "IMAP_KEYWORDS=1", "IMAP_USELOCKS=1",
		"IMAP_ENHANCEDIDLE=1", "IMAP_TRASHFOLDERNAME=Trash", "IMAP_ACL=1",
	}
	if os.Geteuid() == 0 {
		id := strconv.Itoa(mailID)
		write(t, filepath.Join(dir, "passwd"), "postrider-mail:x:"+id+":"+id+"::/nonexistent:/bin/sh\n", 0o644)
		write(t, filepath.Join(dir, "group"), "postrider-mail:x:"+id+":\n", 0o644)
		env = append(env, "LD_PRELOAD="+arch[0]+"/libnss_wrapper.so", "NSS_WRAPPER_PASSWD="+dir+"/passwd", "NSS_WRAPPER_GROUP="+dir+"/group")
	}
	script := filepath.Join(dir, "courier-imapd")
	write(t, script, "#!/bin/sh\nexec "+asOwner()+"env -i "+strings.Join(append(env, settings...), " ")+" "+root+"/usr/bin/imapd \"$1\"\n", 0o755)
	return peer{"Courier", script}
}

// dovecotPeer is the imap program of Debian's Dovecot with a configuration of its
// own. separator and prefix are those of the namespace; settings are more lines.
func dovecotPeer(t *testing.T, separator, prefix string, settings ...string) peer {
	t.Helper()
	const imap = "/usr/lib/dovecot/imap"
	if _, err := os.Stat(imap); err != nil {
		t.Fatalf("%v; scripts/setup.sh installs Dovecot", err)
	}
	dir := publicDir(t)
	makeDir(t, filepath.Join(dir, "run"))
	conf := []string{
		"base_dir = " + dir + "/run", "state_dir = " + dir + "/run", "log_path = " + dir + "/run/log", "ssl = no",
		"mail_location = maildir:%h", "stats_writer_socket_path =", "mail_fsync = never",
		"namespace inbox {\n inbox = yes\n separator = " + separator + "\n prefix = " + prefix + "\n}",
	}
	write(t, filepath.Join(dir, "dovecot.conf"), strings.Join(append(conf, settings...), "\n")+"\n", 0o644)
	script := filepath.Join(dir, "dovecot-imap")
	write(t, script, "#!/bin/sh\nexec "+asOwner()+"env -i PATH=/usr/bin:/bin USER=u HOME=\"$1\" "+imap+" -c "+dir+"/dovecot.conf\n", 0o755)
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "run/log"))
			t.Logf("dovecot's log:\n%s", log)
		}
	})
	return peer{"Dovecot", script}
}

// TestPeers: each peer takes a message, gives it a keyword and lets go of it.
func TestPeers(t *testing.T) {
	for _, p := range []peer{courierPeer(t), dovecotPeer(t, "/", "")} {
		t.Run(p.name, func(t *testing.T) {
			a := account{maildir: filepath.Join(publicDir(t), "Maildir")}
			makeMaildir(t, a.maildir)
			if err := a.deliver("INBOX", numbered("peer", 1)); err != nil {
				t.Fatal(err)
			}
			k := p.dial(t, a.maildir)
			k.ok("SELECT INBOX")
			k.ok(`STORE 1 +FLAGS (\Seen Work)`)
			if got := strings.Join(k.ok("FETCH 1 (UID FLAGS)"), "\n"); !strings.Contains(got, "UID 1") || !strings.Contains(got, "Work") {
				t.Errorf("got %s", got)
			}
			k.ok("LOGOUT")
		})
	}
}

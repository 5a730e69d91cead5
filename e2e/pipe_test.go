package e2e_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"postrider/mail"
	"postrider/transcript"
)

// imapd is the command of a session on a pipe, as the user that the server runs
// as, for tools that take a command for the shell.
func (a account) imapd() string {
	command := binary + " imapd " + a.maildir
	if os.Geteuid() == 0 {
		command = "setpriv --reuid=" + strconv.Itoa(mailID) + " --regid=" + strconv.Itoa(mailID) + " --clear-groups " + command
	}
	return command
}

// TestMbsyncTunnel: mbsync through a pipe, while a server has the same Maildir
// open and tells its session what happens.
func TestMbsyncTunnel(t *testing.T) {
	s := startServer(t)
	a, dir := s.account(t), t.TempDir()
	k := dial(t, s.port)
	k.line()
	k.ok("LOGIN " + a.user + " " + password)
	k.ok("SELECT INBOX")
	mbsyncConfig(t, dir, fmt.Sprintf("IMAPAccount postrider\nTunnel %q\n", a.imapd()))
	synchronise(t, a, dir)
	exists := ""
	for _, line := range k.ok("NOOP") {
		if strings.HasSuffix(line, " EXISTS") {
			exists = line
		}
	}
	if status := k.ok("STATUS INBOX (MESSAGES)"); !strings.Contains(status[0], "MESSAGES 995)") {
		t.Errorf("the server's session sees %q, %q; want 995 messages", exists, status)
	}
}

// TestPipeTranscripts runs the transcripts with a process for each client, all
// on one Maildir.
func TestPipeTranscripts(t *testing.T) {
	base := publicDir(t)
	for name, script := range scripts(t) {
		dir := filepath.Join(base, name)
		a := account{maildir: dir}
		on := &transcript.Server{
			Name: "postrider", Preauth: true, Deliver: func(m mail.Name, text string) error { return a.deliver(m, text) },
			Dial: func() (net.Conn, error) { return a.pipe(t) },
		}
		if !script.Runs(on) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			makeMaildir(t, dir)
			if err := script.Run(on); err != nil {
				t.Error(err)
			}
		})
	}
}

// pipe starts a session on a socket, which stands for two pipes.
func (a account) pipe(t *testing.T) (net.Conn, error) {
	return onSocket(t, []string{"LOG_LEVEL=error"}, strings.Fields(a.imapd())...)
}

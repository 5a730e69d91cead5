package e2e_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// Who has an account open whose directory is removed, or moved away, is told so by the
// next command that needs it, and the session ends: no riddle with an id, and one line in
// the log. Who logs in then begins anew.
func TestAccountRemoved(t *testing.T) {
	commands := []string{`LIST "" *`, "SELECT INBOX", "EXAMINE Work", "STATUS INBOX (MESSAGES)", "CREATE New", "DELETE Work", "RENAME Work Other", "SUBSCRIBE Work", `LSUB "" *`}
	for name, remove := range map[string]func(string) error{
		"removed": os.RemoveAll,
		"moved":   func(dir string) error { return os.Rename(dir, dir+".away") },
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			a := s.account(t)
			var open []*talk
			for range commands {
				k := dial(t, s.port)
				k.login(a)
				open = append(open, k)
			}
			open[0].ok("CREATE Work")
			if err := remove(a.maildir); err != nil {
				t.Fatal(err)
			}
			for i, k := range open {
				if name == "moved" && commands[i] != "SELECT INBOX" && commands[i] != "STATUS INBOX (MESSAGES)" {
					continue // what was opened is still there, under another name
				}
				fmt.Fprintf(k.c, "t %s\r\n", commands[i])
				k.c.SetReadDeadline(time.Now().Add(20 * time.Second))
				answer, err := bufio.NewReader(k.c).ReadString('\n')
				if err != nil || !strings.HasPrefix(answer, "* BYE [UNAVAILABLE] ") {
					t.Errorf("%s: %q %v", commands[i], answer, err)
				}
			}
			for _, k := range open {
				k.c.Close()
			}
			k := dial(t, s.port)
			k.login(a)
			k.ok(appendCommand("INBOX", "one", 100))
			k.ok("SELECT INBOX")
			k.ok("LOGOUT")
			s.stop(t) // its log is whole
			if log := s.log.String(); strings.Count(log, "was removed or moved away") != 1 || strings.Contains(log, "panic") {
				t.Errorf("the log: %s", log)
			}
		})
	}
}

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shownBox is what a client knows of a mailbox.
type shownBox struct {
	validity string
	next     int
	subjects map[string]string // by UID
	flags    map[string]string
}

func look(t *testing.T, k *talk, folder string) shownBox {
	t.Helper()
	all := strings.Join(k.ok("SELECT "+folder), "\n")
	v := shownBox{validity: validityOf.FindStringSubmatch(all)[1], subjects: map[string]string{}, flags: map[string]string{}}
	v.next = atoi(nextOf.FindStringSubmatch(all)[1])
	for _, m := range rowOf.FindAllStringSubmatch(strings.Join(k.ok("UID FETCH 1:* (UID FLAGS ENVELOPE)"), "\n"), -1) {
		v.subjects[m[1]], v.flags[m[1]] = m[3], words(flagsOf(strings.ReplaceAll(m[2], `\Recent`, "")))
	}
	return v
}

// follows says what breaks the promise when now comes after v: another UIDVALIDITY, a
// UID with another message, a UIDNEXT that fell. same: every message has its UID still.
func (v shownBox) follows(now shownBox, same bool) (wrong []string) {
	if now.validity != v.validity {
		wrong = append(wrong, "UIDVALIDITY "+v.validity+" became "+now.validity)
	}
	if now.next < v.next {
		wrong = append(wrong, fmt.Sprintf("UIDNEXT %d became %d", v.next, now.next))
	}
	for uid, subject := range now.subjects {
		was, known := v.subjects[uid]
		n := atoi(uid)
		if known && was != subject || !known && (same || n < v.next) {
			wrong = append(wrong, fmt.Sprintf("UID %s was %q and is %q", uid, was, subject))
		}
		if same && v.flags[uid] != now.flags[uid] {
			wrong = append(wrong, fmt.Sprintf("UID %s had (%s) and has (%s)", uid, v.flags[uid], now.flags[uid]))
		}
	}
	if len(now.subjects) != len(v.subjects) {
		wrong = append(wrong, fmt.Sprintf("%d messages became %d", len(v.subjects), len(now.subjects)))
	}
	return wrong
}

// TestIndexHarmedByHand: an administrator removes what is in postrider, or puts a
// backup in its place, in INBOX (where the account's file lies, too) and in another
// folder, while the server runs and while it does not.
func TestIndexHarmedByHand(t *testing.T) {
	for _, running := range []bool{true, false} {
		for _, c := range []struct {
			name string
			do   func(t *testing.T, dir, backup string)
		}{
			{"removed", func(t *testing.T, dir, _ string) { must(t, os.RemoveAll(dir)) }},
			{"moved away", func(t *testing.T, dir, _ string) { must(t, os.Rename(dir, dir+".old")) }},
			{"restored as new files", func(t *testing.T, dir, backup string) {
				must(t, os.RemoveAll(dir))
				run(t, "cp", "-a", backup, dir)
			}},
			{"journal removed", func(t *testing.T, dir, _ string) { must(t, os.Remove(filepath.Join(dir, "journal"))) }},
			{"journal restored in place", func(t *testing.T, dir, backup string) {
				run(t, "cp", filepath.Join(backup, "journal"), filepath.Join(dir, "journal"))
			}},
			{"journal emptied", func(t *testing.T, dir, _ string) { must(t, os.Truncate(filepath.Join(dir, "journal"), 0)) }},
		} {
			t.Run(fmt.Sprintf("%s, running %v", c.name, running), func(t *testing.T) {
				s := startServer(t)
				a := s.account(t)
				k := dial(t, s.port)
				k.login(a)
				k.ok("CREATE Work")
				dirs := map[string]string{"INBOX": filepath.Join(a.maildir, "postrider"), "Work": filepath.Join(a.maildir, ".Work", "postrider")}
				backup := map[string]string{}
				for i := range 10 {
					for folder := range dirs {
						k.ok(appendCommand(folder, fmt.Sprint(folder, i), 100))
					}
					for folder, dir := range dirs {
						if i == 4 {
							backup[folder] = filepath.Join(t.TempDir(), "backup")
							run(t, "cp", "-a", dir, backup[folder])
						}
					}
				}
				before := map[string]shownBox{}
				for folder := range dirs {
					k.ok("SELECT " + folder)
					k.ok(`UID STORE 3,9 +FLAGS (\Deleted)`)
					k.ok("EXPUNGE")
					k.ok(`UID STORE 8 FLAGS (\Flagged kw)`)
					before[folder] = look(t, k, folder)
				}
				if !running {
					k.ok("LOGOUT")
					s.stop(t)
				}
				for folder, dir := range dirs {
					c.do(t, dir, backup[folder])
				}
				// With the account's file gone, too, there is no trace left but the time.
				lost := !running && (c.name == "removed" || c.name == "moved away")
				if v := max(before["INBOX"].validity, before["Work"].validity); lost {
					time.Sleep(time.Until(time.Unix(int64(atoi(v))+1, 0)))
				}
				if !running {
					s.start(t)
					k = dial(t, s.port)
					k.login(a)
				}
				for folder := range dirs {
					k.ok("SELECT " + folder)
					k.ok(appendCommand(folder, "afterwards", 100))
					k.ok(`UID STORE ` + regexp.MustCompile(`\d+$`).FindString(strings.Join(k.ok("UID SEARCH SUBJECT afterwards")[:1], "")) + ` FLAGS (\Deleted)`)
					k.ok("EXPUNGE")
					now := look(t, k, folder)
					if lost {
						if now.validity <= before[folder].validity || len(now.subjects) != len(before[folder].subjects) {
							t.Errorf("%s: UIDVALIDITY %s became %s, %d messages %d", folder, before[folder].validity, now.validity, len(before[folder].subjects), len(now.subjects))
						}
						continue
					}
					for _, wrong := range before[folder].follows(now, running) {
						t.Errorf("%s: %s", folder, wrong)
					}
				}
				k.ok("LOGOUT")
				s.cmd.Process.Signal(syscall.SIGKILL)
				<-s.ended
				s.start(t)
				k = dial(t, s.port)
				k.login(a)
				for folder := range dirs {
					now := look(t, k, folder)
					if again := look(t, k, folder); len(again.follows(now, true)) > 0 {
						t.Errorf("%s is not at rest: %v", folder, now.follows(again, true))
					}
				}
			})
		}
	}
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

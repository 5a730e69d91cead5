package e2e_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// folderState is what a client sees of one mailbox.
type folderState struct {
	validity, next string
	messages       map[string]string // UID -> flags, sorted, without \Recent
}

// look selects a mailbox without changing it and returns what is seen.
func (k *talk) look(name string) folderState {
	k.t.Helper()
	f := folderState{messages: map[string]string{}}
	for _, line := range k.ok("EXAMINE \"" + name + "\"") {
		if _, after, ok := strings.Cut(line, "[UIDVALIDITY "); ok {
			f.validity, _, _ = strings.Cut(after, "]")
		}
	}
	status := strings.Join(k.ok("STATUS \""+name+"\" (UIDNEXT MESSAGES)"), " ")
	_, after, _ := strings.Cut(status, "UIDNEXT ")
	f.next = strings.FieldsFunc(after, func(r rune) bool { return r == ' ' || r == ')' })[0]
	if strings.Contains(status, "MESSAGES 0") {
		return f
	}
	for _, line := range k.ok("UID FETCH 1:* (FLAGS)") {
		if _, rest, ok := strings.Cut(line, " FETCH ("); ok {
			_, uid, _ := strings.Cut(rest, "UID ")
			_, flags, _ := strings.Cut(rest, "FLAGS (")
			flags, _, _ = strings.Cut(flags, ")")
			words := slices.DeleteFunc(strings.Fields(flags), func(w string) bool { return w == `\Recent` })
			slices.Sort(words)
			f.messages[strings.FieldsFunc(uid, func(r rune) bool { return r == ' ' || r == ')' })[0]] = strings.Join(words, " ")
		}
	}
	return f
}

func (f folderState) equal(g folderState) bool {
	return f.validity == g.validity && f.next == g.next && maps.Equal(f.messages, g.messages)
}

// subscribed lists what LSUB shows, without a prefix and with "/" as the delimiter.
func (k *talk) subscribed(prefix, delimiter string) []string {
	k.t.Helper()
	var names []string
	for _, line := range k.ok(`LSUB "" "*"`) {
		if strings.HasPrefix(line, "* LSUB") {
			fields := strings.SplitN(line, `" `, 2)
			name := strings.TrimPrefix(strings.Trim(fields[len(fields)-1], `"`), prefix)
			names = append(names, strings.ReplaceAll(name, delimiter, "/"))
		}
	}
	slices.Sort(names)
	return names
}

// predecessor is another server whose mailboxes we take over.
type predecessor struct {
	peer
	prefix, delimiter string // of its names
	namespace         string // IMAP_NAMESPACE that shows the same names
}

func (p predecessor) name(path string) string {
	if path == "INBOX" {
		return path
	}
	return p.prefix + strings.ReplaceAll(path, "/", p.delimiter)
}

// tunnel is the mbsync configuration of a session through a command.
func tunnel(t *testing.T, dir, command string) {
	t.Helper()
	mbsyncConfig(t, dir, fmt.Sprintf("IMAPAccount postrider\nTunnel %q\n", command))
}

// TestTakeOver: a Maildir that Courier or Dovecot served, and that mbsync synced, is
// synced again from ours with the same state: nothing is transferred in either
// direction, and a client sees the same UIDs, keywords and subscriptions.
func TestTakeOver(t *testing.T) {
	for _, p := range []predecessor{
		{courierPeer(t), "INBOX.", ".", "courier"},
		{dovecotPeer(t, "/", ""), "", "/", "plain"},
		{dovecotPeer(t, ".", "INBOX."), "INBOX.", ".", "courier"},
	} {
		t.Run(p.peer.name+" "+p.delimiter, func(t *testing.T) { takeOver(t, p) })
	}
}

// TestAdoptControl: what Dovecot keeps outside the Maildir is taken over by adopt,
// which is told where.
func TestAdoptControl(t *testing.T) {
	control := filepath.Join(publicDir(t), "control")
	makeDir(t, control)
	p := predecessor{dovecotPeer(t, "/", "", "mail_location = maildir:%h:CONTROL="+control+"/u"), "", "/", "plain"}
	a := account{maildir: filepath.Join(publicDir(t), "u")}
	makeMaildir(t, a.maildir)
	for i := range 60 {
		if err := a.deliver("INBOX", numbered("far", i)); err != nil {
			t.Fatal(err)
		}
	}
	k := p.dial(t, a.maildir)
	used(k, p)
	before := map[string]folderState{}
	for _, m := range takenMailboxes {
		before[m] = k.look(p.name(m))
	}
	k.ok("LOGOUT")
	adopt := strings.Fields(asOwner() + binary + " adopt --dovecot-control " + control + "/%u " + filepath.Dir(a.maildir))
	report := client(t, t.TempDir(), adopt[0], adopt[1:]...)
	if !strings.Contains(report, "4 folders, 85 messages, of which 85 kept the UIDs of Dovecot") || strings.Contains(report, "odd") {
		t.Errorf("the report is\n%s", report)
	}
	c, err := onSocket(t, []string{"LOG_LEVEL=error"}, strings.Fields(asOwner()+binary+" imapd "+a.maildir)...)
	if err != nil {
		t.Fatal(err)
	}
	k = newTalk(t, c)
	k.line()
	for _, m := range takenMailboxes {
		if got := k.look(p.name(m)); !got.equal(before[m]) {
			t.Errorf("%s was\n%+v\nand is\n%+v", m, before[m], got)
		}
	}
	if got := k.subscribed(p.prefix, p.delimiter); !slices.Equal(got, takenMailboxes[1:3]) {
		t.Errorf("subscribed are %q", got)
	}
	k.ok("LOGOUT")
}

// The mailboxes that each predecessor has. One name is not ASCII.
var takenMailboxes = []string{"INBOX", "Archive/2024", "Entw&APw-rfe", "Empty"}

func takeOver(t *testing.T, p predecessor) {
	a := account{maildir: filepath.Join(publicDir(t), "Maildir")}
	makeMaildir(t, a.maildir)
	for i := range 60 {
		if err := a.deliver("INBOX", numbered("far", i)); err != nil {
			t.Fatal(err)
		}
	}
	k := p.dial(t, a.maildir)
	used(k, p)
	dir := t.TempDir()
	tunnel(t, dir, p.command(a.maildir))
	client(t, dir, "mbsync", "-a")
	if err := a.deliver("INBOX", numbered("late", 1)); err != nil { // known to neither
		t.Fatal(err)
	}
	client(t, dir, "mbsync", "-a")
	before := map[string]folderState{}
	for _, m := range takenMailboxes {
		before[m] = k.look(p.name(m))
	}
	k.ok("LOGOUT")
	near := shape(t, filepath.Join(dir, "near"))

	ours := binary + " imapd " + a.maildir
	tunnel(t, dir, asOwner()+"env IMAP_NAMESPACE="+p.namespace+" "+ours)
	far := shape(t, a.maildir)
	out := client(t, dir, "mbsync", "-V", "-a")
	if now := shape(t, filepath.Join(dir, "near")); !slices.Equal(near, now) {
		t.Errorf("the client's side changed from\n%s\nto\n%s\n%s", strings.Join(near, "\n"), strings.Join(now, "\n"), out)
	}
	if now := shape(t, a.maildir); !slices.Equal(far, now) {
		t.Errorf("the server's side changed from\n%s\nto\n%s\n%s", strings.Join(far, "\n"), strings.Join(now, "\n"), out)
	}
	for _, word := range []string{"UIDVALIDITY", "rror", "arning"} {
		if strings.Contains(out, word) {
			t.Errorf("mbsync says:\n%s", out)
		}
	}
	c, err := onSocket(t, []string{"LOG_LEVEL=error", "IMAP_NAMESPACE=" + p.namespace}, strings.Fields(asOwner()+ours)...)
	if err != nil {
		t.Fatal(err)
	}
	k = newTalk(t, c)
	k.line()
	for _, m := range takenMailboxes {
		if got := k.look(p.name(m)); !got.equal(before[m]) {
			t.Errorf("%s was\n%+v\nand is\n%+v", m, before[m], got)
		}
	}
	if got := k.subscribed(p.prefix, p.delimiter); !slices.Equal(got, takenMailboxes[1:3]) {
		t.Errorf("subscribed are %q", got)
	}
	k.ok("CREATE " + p.name("Later"))
	if later, inbox := k.look(p.name("Later")), before["INBOX"]; len(later.validity) < len(inbox.validity) || len(later.validity) == len(inbox.validity) && later.validity <= inbox.validity {
		t.Errorf("a later mailbox has UIDVALIDITY %s, the inbox %s", later.validity, inbox.validity)
	}
	k.ok("LOGOUT")
}

// used does with a predecessor what users do: makes mailboxes, copies, marks, gives
// keywords and expunges.
func used(k *talk, p predecessor) {
	k.t.Helper()
	for _, m := range takenMailboxes[1:] {
		k.ok("CREATE " + p.name(m))
	}
	k.ok("SUBSCRIBE " + p.name(takenMailboxes[1]))
	k.ok("SUBSCRIBE " + p.name(takenMailboxes[2]))
	k.ok("SELECT INBOX")
	k.ok(`STORE 1:30 +FLAGS (\Seen)`)
	k.ok(`STORE 3,5 +FLAGS (Work $Forwarded)`)
	k.ok(`STORE 4 +FLAGS (NonJunk)`)
	k.ok(`STORE 7:9 +FLAGS (\Answered \Flagged)`)
	k.ok("COPY 1:20 " + p.name(takenMailboxes[1]))
	k.ok("COPY 30:40 " + p.name(takenMailboxes[2]))
	k.ok(`STORE 10:12,60 +FLAGS (\Deleted)`)
	k.ok("EXPUNGE")
	k.ok("SELECT " + p.name(takenMailboxes[1]))
	k.ok(`STORE 2 +FLAGS (Later Work)`)
	k.ok(`STORE 1,20 +FLAGS (\Deleted)`)
	k.ok("EXPUNGE")
}

// shape lists the message files of a tree with their flags. Another server's and our
// own files are left out, and so is whether a message lies in new or in cur.
func shape(t *testing.T, root string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "*", "*"))
	more, err2 := filepath.Glob(filepath.Join(root, "*", "*", "*"))
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	var all []string
	for _, f := range append(found, more...) {
		if part := filepath.Base(filepath.Dir(f)); part != "cur" && part != "new" {
			continue
		}
		if st, err := os.Lstat(f); err != nil || !st.Mode().IsRegular() {
			continue
		}
		name, _ := filepath.Rel(root, f)
		all = append(all, strings.TrimSuffix(strings.ReplaceAll(name, "new/", "cur/"), ":2,"))
	}
	slices.Sort(all)
	if len(all) == 0 {
		t.Fatalf("no messages in %s", root)
	}
	return all
}

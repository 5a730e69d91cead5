package maildir

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"postrider/mail"
	"postrider/vfs"
)

// Dovecot keeps an account's subscriptions in the file subscriptions. Since version
// 2.3 it begins with a line "V", tab, "2" and an empty line, and a name's parts have
// tabs between them:
//
//	V	2
//
//	INBOX
//	Archive	2024
//
// Before that each line is a name with the namespace's separator, or a dot, between
// the parts. A namespace's prefix "INBOX" is left out, mostly. Names are in modified
// UTF-7 unless Dovecot was told otherwise.
const (
	subscriptionsFile = "subscriptions"
	subscriptionsHead = "V\t2"
	maxSubscriptions  = 100_000
)

// ReadDovecotSubscriptions returns the mailboxes of Dovecot's subscriptions in a
// directory, in their order, and how many lines name none; fs.ErrNotExist if there is
// no such file.
func ReadDovecotSubscriptions(dir vfs.Dir) (names []mail.Name, odd int, err error) {
	text, err := readSmall(dir, subscriptionsFile, maxSubscribed)
	if err != nil {
		return nil, 0, fmt.Errorf("read Dovecot's subscriptions: %w", err)
	}
	names, odd = parseSubscriptions(text)
	return names, odd, nil
}

func parseSubscriptions(text string) (names []mail.Name, odd int) {
	head, rest, _ := strings.Cut(text, "\n")
	tabs := head == subscriptionsHead
	if tabs {
		text = rest
	}
	known := map[mail.Name]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		name, ok := subscribedMailbox(line, tabs)
		switch {
		case !ok || len(names) == maxSubscriptions:
			odd++
		case !known[name]:
			known[name] = true
			names = append(names, name)
		}
	}
	return names, odd
}

// subscribedMailbox is the mailbox of a line.
func subscribedMailbox(line string, tabs bool) (mail.Name, bool) {
	var parts []string
	if tabs {
		parts = strings.Split(line, "\t")
		for i, p := range parts {
			parts[i] = untab(p)
		}
	} else {
		parts = strings.FieldsFunc(line, func(r rune) bool { return r == '.' || r == '/' })
	}
	for i, p := range parts {
		if u, err := decodeUTF7(p); err == nil {
			p = u
		}
		if p == "" || !utf8.ValidString(p) || strings.Contains(p, mail.Separator) {
			return "", false
		}
		if i == 0 && mail.Name(p).IsInbox() {
			p = string(mail.Inbox)
		}
		parts[i] = p
	}
	name := mail.Name(strings.Join(parts, mail.Separator))
	return name, mail.CheckName(name) == nil
}

// untab undoes what Dovecot does to characters that a line cannot hold: 0x01 and a
// character.
func untab(s string) string {
	if !strings.Contains(s, "\x01") {
		return s
	}
	return strings.NewReplacer("\x011", "\x01", "\x01t", "\t", "\x01n", "\n", "\x01r", "\r", "\x010", "\x00").Replace(s)
}

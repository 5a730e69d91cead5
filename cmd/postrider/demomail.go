package main

import (
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// letter is a message of the demonstration.
type letter struct {
	folder  string // "" is the inbox, else the directory's name without its dot
	flags   string // letters of the file name
	from    string
	subject string // as on the wire
	headers string // more lines, each with its end
	body    string
}

const (
	plainText = "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
	mixed     = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"=-mixed\"\n"
	alter     = "MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=\"=-alter\"\n"
)

// letters are the demonstration's messages, oldest first.
func letters() []letter {
	all := []letter{
		{"", "S", "Ada Moreau <ada@example.org>", "Welcome to the Thursday walkers", plainText, "Hello,\n\nwe meet at the north gate of the park, every Thursday at six. Good shoes help.\n\nAda\n"},
		{"", "S", "Station Books <orders@books.example>", "Your order 40-2231 has left us", alter, "--=-alter\nContent-Type: text/plain; charset=utf-8\n\nYour parcel is on its way: 2 books, 31.80.\n\n--=-alter\nContent-Type: text/html; charset=utf-8\n\n<html><body><h1>On its way</h1><p>Your parcel is on its way: <b>2 books</b>, 31.80.</p></body></html>\n\n--=-alter--\n"},
		{"", "RS", "Jonas Weiß <jonas@example.net>", "=?utf-8?Q?Fotos_vom_Gr=C3=BCnsee?=", mixed, "--=-mixed\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nSch=C3=B6n war es. Ein Bild h=C3=A4ngt an.\n\nJonas\n\n--=-mixed\nContent-Type: image/png; name=\"see.png\"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=\"see.png\"\n\n" + pixel + "\n--=-mixed--\n"},
		{"", "FS", "=?iso-8859-1?Q?H=E9l=E8ne_Petit?= <helene@example.fr>", "=?iso-8859-1?Q?R=E9union_de_mardi?=", "MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n", "Bonjour,\n\nla r\xe9union est d\xe9plac\xe9e \xe0 mardi, 14 h.\n\nH\xe9l\xe8ne\n"},
		{"", "", "=?koi8-r?B?6dfBziDw0s/Q0M8=?= <ivan@example.org>", "=?koi8-r?B?8NLJ18XU?=", "MIME-Version: 1.0\nContent-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: base64\n", "8NLJ18XUIQo=\n"},
		{"", "", "=?iso-2022-jp?B?GyRCRURDZhsoQg==?= <tanaka@example.jp>", "=?iso-2022-jp?B?GyRCJDMkcyRLJEEkTxsoQg==?=", "MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-2022-jp\n", "\x1b$B$3$s$K$A$O\x1b(B\n"},
		{"", "", "Ada Moreau <ada@example.org>", "Fwd: Map of the new path", mixed, "--=-mixed\nContent-Type: text/plain\n\nSee below.\n\n--=-mixed\nContent-Type: message/rfc822\n\nFrom: Parks <parks@city.example>\nTo: ada@example.org\nSubject: Map of the new path\nDate: Mon, 2 Mar 2026 08:00:00 +0000\nMessage-ID: <map@city.example>\n\nThe path along the river opens in May.\n\n--=-mixed--\n"},
		{"", "", "Billing <billing@power.example>", "Invoice for March", mixed, "--=-mixed\nContent-Type: text/html; charset=utf-8\n\n<p>Please find your invoice attached. <a href=\"https://power.example/\">Your account</a></p>\n\n--=-mixed\nContent-Type: text/csv; name*=utf-8''Rechnung%20M%C3%A4rz.csv\nContent-Disposition: attachment; filename*=utf-8''Rechnung%20M%C3%A4rz.csv\n\nday,kWh\n1,7.2\n2,6.9\n\n--=-mixed--\n"},
		{"Sent", "S", "demo <demo@localhost>", "Re: Welcome to the Thursday walkers", plainText, "I will be there.\n"},
		{"Sent", "S", "demo <demo@localhost>", "Re: Map of the new path", plainText, "May it be dry.\n"},
		{"Drafts", "DS", "demo <demo@localhost>", "To the landlord", plainText, "Dear Mr. Brand,\n\nabout the window in the kitchen:\n"},
		{"Trash", "S", "Prizes <win@spam.example>", "You have won", plainText, "Send us your number.\n"},
		{"Junk", "", "Watches <w@spam.example>", "Cheap!!!", plainText, "Watches.\n"},
	}
	return append(append(all, thread()...), archive()...)
}

// pixel is an image of one pixel.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

// thread is a discussion with replies to replies.
func thread() (all []letter) {
	people := []string{"Ada Moreau <ada@example.org>", "Jonas Weiß <jonas@example.net>", "Mina Okafor <mina@example.com>"}
	lines := []string{"Shall we repair the boat or sell it?", "Repair. The hull is sound.", "Sell. Nobody has time.", "I have time in April.", "Then April it is.", "Who buys the paint?"}
	replyTo := []int{-1, 0, 0, 2, 3, 3}
	refs := make([]string, len(lines))
	for i, line := range lines {
		h := plainText + fmt.Sprintf("Message-ID: <boat-%d@demo.example>\n", i)
		subject := "The boat"
		if p := replyTo[i]; p >= 0 {
			subject = "Re: The boat"
			refs[i] = strings.TrimSpace(refs[p] + fmt.Sprintf(" <boat-%d@demo.example>", p))
			h += fmt.Sprintf("In-Reply-To: <boat-%d@demo.example>\nReferences: %s\n", p, refs[i])
		}
		all = append(all, letter{"", "", people[i%3], subject, h, line + "\n"})
	}
	return all
}

// archive is a folder with older messages.
func archive() (all []letter) {
	for i := range 18 {
		number := fmt.Sprint(i + 1)
		body := base64.StdEncoding.EncodeToString([]byte("News number " + number + ": the club meets as always.\n"))
		all = append(all, letter{"Archive.2025", "S", "Rowing club <news@club.example>", "Newsletter " + number,
			"MIME-Version: 1.0\nList-Id: <news.club.example>\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n", body + "\n"})
	}
	return all
}

// makeDemoAccount fills a Maildir, unless there is one already.
func makeDemoAccount(root string, now time.Time) error {
	if _, err := os.Stat(filepath.Join(root, "cur")); err == nil {
		return nil
	}
	all := letters()
	subscribed := make(map[string]bool)
	for i, l := range all {
		dir := root
		if l.folder != "" {
			dir = filepath.Join(root, "."+l.folder)
		}
		if err := makeMaildir(dir, l.folder != ""); err != nil {
			return err
		}
		at := now.Add(-time.Duration(len(all)-i) * 7 * time.Hour)
		if err := l.write(dir, i, at); err != nil {
			return err
		}
		subscribed["INBOX"+strings.TrimSuffix("."+l.folder, ".")+"\n"] = true
	}
	// mail programs show only what is subscribed, if not told otherwise
	lines := strings.Join(slices.Sorted(maps.Keys(subscribed)), "")
	return os.WriteFile(filepath.Join(root, "courierimapsubscribed"), []byte(lines), 0o600)
}

func makeMaildir(dir string, folder bool) error {
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	if folder {
		return os.WriteFile(filepath.Join(dir, "maildirfolder"), nil, 0o600)
	}
	return nil
}

// write delivers the letter as a delivery agent does: written in tmp, then
// renamed, into cur if it has flags, else into new.
func (l letter) write(dir string, n int, at time.Time) error {
	text := fmt.Sprintf("Return-Path: <>\nFrom: %s\nTo: demo <demo@localhost>\nSubject: %s\nDate: %s\n%s", l.from, l.subject, at.Format(time.RFC1123Z), l.headers)
	if !strings.Contains(l.headers, "Message-ID:") {
		text += fmt.Sprintf("Message-ID: <%d.%d@demo.example>\n", at.UnixNano(), n)
	}
	text += "\n" + l.body
	name := fmt.Sprintf("%d.M%dP%dQ%d.demo,S=%d", at.Unix(), at.Nanosecond()/1000, os.Getpid(), n, len(text))
	tmp := filepath.Join(dir, "tmp", name)
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		return err
	}
	if err := os.Chtimes(tmp, at, at); err != nil {
		return err
	}
	if l.flags != "" {
		return os.Rename(tmp, filepath.Join(dir, "cur", name+":2,"+l.flags))
	}
	return os.Rename(tmp, filepath.Join(dir, "new", name))
}

// deliverNew delivers a message of this moment to the inbox, and returns its subject.
func deliverNew(root string, now time.Time) (string, error) {
	l := letter{"", "", "Postrider <postrider@localhost>", "It is " + now.Format("15:04:05"), plainText, "This message was delivered just now.\n"}
	return fmt.Sprintf("%q", l.subject), l.write(root, 0, now)
}

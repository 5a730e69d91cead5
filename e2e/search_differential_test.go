package e2e_test

import (
	"encoding/base64"
	"fmt"
	"mime/quotedprintable"
	"strings"
	"testing"
)

// TestSearchAsDovecot: words are found in headers and bodies as Dovecot finds them,
// however they are encoded and wherever they are cut.
func TestSearchAsDovecot(t *testing.T) {
	o := newOdd(4)
	var messages []string
	for range 60 {
		messages = append(messages, o.haystack())
	}
	p := startPair(t, messages)
	var keys []string
	for _, w := range []string{"needle", "NEEDLE", "eedl", "café", "CAFÉ", "cafe\u0301", "ärger", "ÄRGER", "straße", "Ж", "日本", "dleca", "nothing"} {
		for _, key := range []string{"BODY ", "TEXT ", "SUBJECT ", "HEADER X-Word ", "FROM ", "NOT BODY ", "OR TO needle TEXT "} {
			keys = append(keys, fmt.Sprintf("%s{%d+}\r\n%s", key, len(w), w))
		}
	}
	keys = append(keys, "LARGER 600", "SMALLER 600", "SENTON 2-Jan-2024", "SENTBEFORE 2-Jan-2024", "SENTSINCE 2-Jan-2024", "SINCE 1-Feb-2024", "ON 1-Feb-2024", "BEFORE 1-Feb-2024",
		`HEADER X-Word ""`, `HEADER X-None ""`, "NOT (SUBJECT needle TEXT needle)", "5:* NOT 7:9", "UID 1:3,7")
	if found := strings.Fields(p.ours.ok("SEARCH BODY needle")[0]); len(found) < 20 {
		t.Errorf("a needle is found in %q alone", found)
	}
	for _, key := range keys {
		command := "SEARCH CHARSET UTF-8 " + key
		if ours, theirs := p.ours.ok(command), p.theirs.ok(command); strings.TrimSpace(strings.Join(ours, "")) != strings.TrimSpace(strings.Join(theirs, "")) {
			t.Errorf("%q\n    ours %q\nDovecot's %q", command, ours, theirs)
		}
	}
}

// haystack is a message with some words in its header and in a body, each encoded in
// some way. Charsets are told truly, and characters are not cut in the header.
func (o *odd) haystack() string {
	word := func() string {
		return o.of("needle", "Needle", "café", "CAFE\u0301", "Ärger", "STRASSE", "straße", "Ж", "日本語", "hay", "stack", "needlecafé", "x")
	}
	encoded := func(w string) string {
		return o.of(w, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(w))+"?=", "=?UTF-8?q?"+strings.ReplaceAll(fmt.Sprintf("=% X", w), " ", "=")+"?=")
	}
	m := fmt.Sprintf("From: %s <%s@x>\r\nTo: %s <a@needle.x>\r\nSubject: %s %s\r\n %s\r\nDate: %d Jan 2024 12:00:00 %s\r\nMIME-Version: 1.0\r\n",
		encoded(word()), o.of("needle", "b"), encoded(word()), word(), encoded(word()), word(), 1+o.IntN(3), o.of("+0000", "+0100", "-0800"))
	if o.once(2) {
		m += "X-Word: " + o.of("", encoded(word())) + "\r\n"
	}
	one, two := o.textPart(word), o.textPart(word)
	switch o.IntN(3) {
	case 0:
		return m + one
	case 1:
		return m + "Content-Type: multipart/mixed; boundary=b\r\n\r\nneedle in the preamble\r\n--b\r\n" + one + "\r\n--b\r\n" + two + "\r\n--b--\r\nneedle\r\n"
	}
	return m + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" + two + "\r\n--b\r\nContent-Type: application/x\r\n\r\nneedle\r\n--b--\r\n"
}

// textPart is a text with words between long and short fillings, so that they stand
// across the ends of lines, of groups of digits and of buffers.
func (o *odd) textPart(word func() string) string {
	var text string
	for range 1 + o.IntN(4) {
		text += strings.Repeat("z", o.IntN(90)*o.number(1, 1, 1, 200)) + word() + " "
	}
	head := "Content-Type: text/" + o.of("plain", "x-odd") + "; charset=utf-8\r\nContent-Transfer-Encoding: "
	switch o.IntN(3) {
	case 0:
		return head + "8bit\r\n\r\n" + text
	case 1:
		lines := base64.StdEncoding.EncodeToString([]byte(text))
		for i := 76; i < len(lines); i += 78 {
			lines = lines[:i] + "\r\n" + lines[i:]
		}
		return head + "base64\r\n\r\n" + lines
	}
	var b strings.Builder
	w := quotedprintable.NewWriter(&b)
	w.Write([]byte(text))
	w.Close()
	return head + "quoted-printable\r\n\r\n" + b.String()
}

// number is one of some numbers.
func (o *odd) number(numbers ...int) int { return numbers[o.IntN(len(numbers))] }

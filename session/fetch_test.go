package session

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"postrider/account"
)

func TestFetchFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.PlainStyle(), nil)
		c.append("INBOX", `(\Seen $Work) "02-Jan-2001 10:00:00 +0100" `, plain)
		c.append("INBOX", `" 2-Jan-2001 10:00:00 -0100" `, sample)
		c.do("SELECT INBOX")
		c.talk(`
> FETCH 1 FAST
* 1 FETCH (FLAGS (\Seen \Recent $Work) INTERNALDATE " 2-Jan-2001 09:00:00 +0000" RFC822.SIZE 72)
t OK FETCH completed.
> FETCH 1 ALL
* 1 FETCH (FLAGS (\Seen \Recent $Work) INTERNALDATE " 2-Jan-2001 09:00:00 +0000" RFC822.SIZE 72 ENVELOPE ("Tue, 2 Jan 2024 00:00:00 +0000" "two" ((NIL NIL "b" "y")) ((NIL NIL "b" "y")) ((NIL NIL "b" "y")) NIL NIL NIL NIL NIL))
t OK FETCH completed.
> FETCH 2,1 (UID INTERNALDATE)
* 1 FETCH (UID 1 INTERNALDATE " 2-Jan-2001 09:00:00 +0000")
* 2 FETCH (UID 2 INTERNALDATE " 2-Jan-2001 11:00:00 +0000")
t OK FETCH completed.
> UID FETCH *:2 RFC822.SIZE
* 2 FETCH (UID 2 RFC822.SIZE 371)
t OK UID FETCH completed.
> UID FETCH 7:9 FLAGS
t OK UID FETCH completed.
> UID FETCH 9:* (FLAGS UID)
* 2 FETCH (FLAGS (\Recent) UID 2)
t OK UID FETCH completed.
> FETCH 3 FLAGS
t BAD Invalid message sequence number: there is no such message
> FETCH 2 (BODY BODY.PEEK[9])
* 2 FETCH (BODY (("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 2 0)("image" "png" ("name" "a.png") NIL NIL "base64" 4) "mixed") BODY[9] NIL)
t OK FETCH completed.
> FETCH 2 BODYSTRUCTURE
* 2 FETCH (BODYSTRUCTURE (("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 2 0 NIL NIL NIL NIL)("image" "png" ("name" "a.png") NIL NIL "base64" 4 NIL ("attachment" ("filename" "a.png")) NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL))
t OK FETCH completed.
`)
		c.logout()
	})
}

// The octets of every kind of section, cut and whole.
func TestFetchSections(t *testing.T) {
	header, text, _ := strings.Cut(sample, "\r\n\r\n")
	header += "\r\n\r\n"
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.PlainStyle(), nil)
		c.append("INBOX", `(\Seen) `, sample)
		c.do("SELECT INBOX")
		for item, want := range map[string]string{
			"BODY[]": sample, "RFC822": sample, "BODY[HEADER]": header, "RFC822.HEADER": header, "BODY[TEXT]": text, "RFC822.TEXT": text,
			"BODY[1]": "hi", "BODY[2]": "AAAA", "BODY[1.MIME]": "Content-Type: text/plain; charset=utf-8\r\n\r\n",
			"BODY[HEADER.FIELDS (x-other TO)]":                            "To: g: b@y, c@z;\r\nX-Other: 1\r\n\r\n",
			"BODY[HEADER.FIELDS (SUBJECT)]":                               "Subject: =?utf-8?q?=C3=A9?=\r\n\r\n",
			"BODY[HEADER.FIELDS.NOT (From To subject date content-type)]": "X-Other: 1\r\nMIME-Version: 1.0\r\n\r\n",
			"BODY[]<3.5>": "m: A ", "BODY[]<360.50>": sample[360:], "BODY[]<371.5>": "", "BODY[]<4294967295.1>": "",
			"BODY[HEADER]<0.4>": "From", "BODY[2]<1.2>": "AA", "BODY[HEADER.FIELDS (SUBJECT)]<9.3>": "=?u",
		} {
			for _, peek := range []string{item, strings.Replace(item, "BODY[", "BODY.PEEK[", 1)} {
				if got := c.section("FETCH 1 " + peek); got != want {
					t.Errorf("%s: %q, not %q", peek, got, want)
				}
			}
		}
		c.logout()
	})
}

// section sends a FETCH of one section of message 1 and returns its octets.
func (c *client) section(fetch string) string {
	c.t.Helper()
	io.WriteString(c.conn, "t "+fetch+"\r\n")
	var n int
	line := c.until("* ")[0]
	if _, err := fmt.Sscanf(line[strings.LastIndexByte(line, '{'):], "{%d}", &n); err != nil {
		c.t.Fatalf("%s: %q", fetch, line)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(c.r, b); err != nil {
		c.t.Fatal(err)
	}
	if rest := c.until("t "); rest[0] != ")" || rest[1] != "t OK FETCH completed." {
		c.t.Fatalf("%s ends %q", fetch, rest)
	}
	return string(b)
}

// \Seen comes with a body, once, and not with PEEK.
func TestFetchSetsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.PlainStyle(), nil)
		for range 3 {
			c.append("INBOX", "", plain)
		}
		c.do("SELECT INBOX")
		c.talk(`
> FETCH 1 (BODY.PEEK[TEXT]<0.2> RFC822.HEADER)
* 1 FETCH (BODY[TEXT]<0> {2}
he RFC822.HEADER {65}
Subject: two
From: b@y
Date: Tue, 2 Jan 2024 00:00:00 +0000

)
t OK FETCH completed.
> FETCH 1 FLAGS
* 1 FETCH (FLAGS (\Recent))
t OK FETCH completed.
> FETCH 1 BODY[TEXT]<0.2>
* 1 FETCH (BODY[TEXT]<0> {2}
he FLAGS (\Seen \Recent))
t OK FETCH completed.
> FETCH 1 BODY[TEXT]<0.2>
* 1 FETCH (BODY[TEXT]<0> {2}
he)
t OK FETCH completed.
> UID FETCH 2:3 (FLAGS BODY[TEXT]<0.1>)
* 2 FETCH (UID 2 FLAGS (\Seen \Recent) BODY[TEXT]<0> {1}
h)
* 3 FETCH (UID 3 FLAGS (\Seen \Recent) BODY[TEXT]<0> {1}
h)
t OK UID FETCH completed.
`)
		c.logout()
	})
}

// A literal holds no NUL (RFC 3501 9, CHAR8), whatever it is made of: 0x80 stands for it.
func TestNoNUL(t *testing.T) {
	header := "Subject: a\x80b\r\nX-Other: \x80\x80\r\n\r\n"
	body := strings.Repeat("\x80long", 10000) + "\x80"
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.PlainStyle(), nil)
		c.append("INBOX", `(\Seen) `, strings.ReplaceAll(header+body, "\x80", "\x00"))
		c.do("SELECT INBOX")
		for item, want := range map[string]string{
			"BODY[]": header + body, "BODY[HEADER]": header, "BODY[TEXT]": body, "BODY[1]": body, "BODY[TEXT]<49999.9>": "g\x80", "RFC822": header + body,
			"BODY[HEADER.FIELDS (SUBJECT)]":     "Subject: a\x80b\r\n\r\n",
			"BODY[HEADER.FIELDS (X-OTHER)]":     "X-Other: \x80\x80\r\n\r\n",
			"BODY[HEADER.FIELDS.NOT (SUBJECT)]": "X-Other: \x80\x80\r\n\r\n",
		} {
			if got := c.section("FETCH 1 " + item); got != want {
				t.Errorf("%s: %.60q, not %.60q", item, got, want)
			}
		}
		c.logout()
	})
}

// A header without the blank line that ends it has none in any answer (RFC 3501
// 6.4.5), with the cache and without.
func TestHeaderWithoutBlankLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.PlainStyle(), nil)
		for _, m := range []string{"Subject: x\r\nX-Other: y\r\n", "Subject: x\r\nX-Other: y\r\n\r\n"} {
			c.do("CREATE Box")
			c.append("Box", `(\Seen) `, m)
			c.do("SELECT Box")
			end := strings.TrimPrefix(m, "Subject: x\r\nX-Other: y\r\n")
			for item, want := range map[string]string{
				"BODY[HEADER]": m, "BODY[HEADER.FIELDS (SUBJECT)]": "Subject: x\r\n" + end, "BODY[HEADER.FIELDS (TO)]": end,
				"BODY[HEADER.FIELDS (X-OTHER)]": "X-Other: y\r\n" + end, "BODY[HEADER.FIELDS.NOT (X-OTHER)]": "Subject: x\r\n" + end,
			} {
				for range 2 {
					if got := c.section("FETCH 1 " + item); got != want {
						t.Errorf("%s of %q: %q, not %q", item, m, got, want)
					}
				}
			}
			c.do("CLOSE")
			c.do("DELETE Box")
		}
		c.logout()
	})
}

// Messages are served as they were appended, whatever their line ends.
func TestLineEnds(t *testing.T) {
	messages := []string{"a\r\nb\r\n", "a\nb\n", "a\r\nb\n", "a\nb\r\n", "a\rb", "\r\n", "\n", "x", "\r\n\r\n\r", "a: b\r\n\r\n\x00\xff\r\n", "\r\r\n\n"}
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.PlainStyle(), nil)
		for _, m := range messages {
			c.do("CREATE Box")
			c.append("Box", "", m)
			c.do("SELECT Box")
			if got := c.section("FETCH 1 BODY.PEEK[]"); got != strings.ReplaceAll(m, "\x00", "\x80") {
				t.Errorf("appended %q, fetched %q", m, got)
			}
			c.want("FETCH 1 RFC822.SIZE", fmt.Sprintf("* 1 FETCH (RFC822.SIZE %d)", len(m)), "t OK FETCH completed.")
			c.do("CLOSE")
			c.do("DELETE Box")
		}
		c.logout()
	})
}

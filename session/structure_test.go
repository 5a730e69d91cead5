package session

import (
	"bytes"
	"strings"
	"testing"
)

const plain = "Subject: two\r\nFrom: b@y\r\nDate: Tue, 2 Jan 2024 00:00:00 +0000\r\n\r\nhello\r\n"

const sample = "From: A <a@x>\r\nTo: g: b@y, c@z;\r\nSubject: =?utf-8?q?=C3=A9?=\r\nX-Other: 1\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n" +
	"Content-Type: multipart/mixed; boundary=b\r\nMIME-Version: 1.0\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhi\r\n--b\r\nContent-Type: image/png; name=\"a.png\"\r\n" +
	"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a.png\r\n\r\nAAAA\r\n--b--\r\n"

func TestDerive(t *testing.T) {
	d, err := derive(strings.NewReader(sample), int64(len(sample)))
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ got, want string }{
		"envelope": {string(d.envelope), `("Mon, 1 Jan 2024 00:00:00 +0000" "=?utf-8?q?=C3=A9?=" (("A" NIL "a" "x")) (("A" NIL "a" "x")) (("A" NIL "a" "x")) ` +
			`((NIL NIL "g" NIL)(NIL NIL "b" "y")(NIL NIL "c" "z")(NIL NIL NIL NIL)) NIL NIL NIL NIL)`},
		"BODY": {string(d.body), `(("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 2 0)("image" "png" ("name" "a.png") NIL NIL "base64" 4) "mixed")`},
		"BODYSTRUCTURE": {string(d.structure), `(("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 2 0 NIL NIL NIL NIL)` +
			`("image" "png" ("name" "a.png") NIL NIL "base64" 4 NIL ("attachment" ("filename" "a.png")) NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`},
	} {
		if c.got != c.want {
			t.Errorf("%s\n got %s\nwant %s", what, c.got, c.want)
		}
	}
	if bytes.Contains(d.headers, []byte("X-Other")) || !bytes.Contains(d.headers, []byte("Subject: ")) {
		t.Errorf("headers kept: %q", d.headers)
	}
}

func FuzzDerive(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=x\r\n\r\n"))
	f.Add([]byte("Content-Type: message/rfc822\n\nFrom: x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := derive(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if len(d.structure) == 0 || len(d.envelope) == 0 {
			t.Fatalf("nothing derived from %q", b)
		}
	})
}

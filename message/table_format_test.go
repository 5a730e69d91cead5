package message

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// readTable reads a table of parts by docs/formats.md alone.
func readTable(t *testing.T, b []byte) string {
	t.Helper()
	u := func() int {
		n, k := binary.Uvarint(b)
		if k <= 0 {
			t.Fatal("no number where one should be")
		}
		b = b[k:]
		return int(n)
	}
	if b[0] != 1 {
		t.Fatalf("version %d", b[0])
	}
	b = b[1:]
	out := fmt.Sprint("size ", u())
	var part func(at int)
	part = func(at int) {
		kind := b[0]
		b = b[1:]
		start := at + u()
		body := start + u()
		end := body + u()
		out += fmt.Sprintf(" %d[%d %d %d", kind, start, body, end)
		if kind > 0 {
			for range u() {
				part(start)
			}
		}
		out += "]"
	}
	part(0)
	if len(b) > 0 {
		t.Fatalf("%d bytes behind the last part", len(b))
	}
	return out
}

func TestTableIsAsDocumented(t *testing.T) {
	const inner = "Subject: inner\r\n\r\ntext\r\n"
	const text = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" + inner + "\r\n--b--\r\n"
	m, err := Parse(strings.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) int { return strings.Index(text, s) }
	one, in := at("one"), at(inner)
	want := fmt.Sprintf("size %d 1[0 %d %d 0[%d %d %d] 2[%d %d %d 0[%d %d %d]]]", len(text), at("--b\r\n"), len(text),
		one-2, one, one+3, at("Content-Type: message"), in, in+len(inner), in, at("text\r\n"), in+len(inner))
	if got := readTable(t, m.AppendTable(nil)); got != want {
		t.Errorf("the table says\n%s, not\n%s", got, want)
	}
}

package message

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// FuzzParse: whatever the bytes are, there is a structure, its spans lie inside one
// another, and its table gives the same spans.
func FuzzParse(f *testing.F) {
	f.Add([]byte("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a--\r\n"))
	f.Add([]byte("Content-Type: message/rfc822\n\nContent-Type: text/html; charset*0*=utf-8''a%20\n\n<b>x"))
	hard, err := filepath.Glob("testdata/hard/*.eml")
	if err != nil || len(hard) == 0 {
		f.Fatal("no hard messages", err)
	}
	for _, name := range hard {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("From: <@a,@b:c@d>, g: x@y;\nContent-Transfer-Encoding: base64\n\nYWJj=\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		m, err := Parse(r, int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		back, err := LoadTable(m.AppendTable(nil))
		if err != nil {
			t.Fatal(err)
		}
		same(t, m.Root, back.Root, 0, int64(len(b)))
		m.Texts(func(p *Part) bool {
			if _, err := io.Copy(io.Discard, DecodeText(p, r)); err != nil {
				t.Error(err)
			}
			return true
		})
		m.Preview(r)
	})
}

func same(t *testing.T, a, b *Part, from, to int64) {
	t.Helper()
	if a.Start != b.Start || a.Body != b.Body || a.End != b.End || len(a.Parts) != len(b.Parts) || (a.Inner == nil) != (b.Inner == nil) {
		t.Fatalf("the table says %+v of %+v", b, a)
	}
	if a.Start < from || a.Body < a.Start || a.End < a.Body || a.End > to {
		t.Fatalf("part [%d,%d,%d) lies outside [%d,%d)", a.Start, a.Body, a.End, from, to)
	}
	for i, c := range a.Parts {
		same(t, c, b.Parts[i], a.Start, a.End)
	}
	if a.Inner != nil {
		same(t, a.Inner, b.Inner, a.Start, a.End)
	}
}

// FuzzTable: a table that is damaged is refused or read, in bounds.
func FuzzTable(f *testing.F) {
	f.Add([]byte{1, 9, 0, 0, 3, 6})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := LoadTable(b)
		if err != nil {
			return
		}
		again, err := LoadTable(m.AppendTable(nil))
		if err != nil {
			t.Fatal(err)
		}
		same(t, m.Root, again.Root, 0, m.Size)
	})
}

// FuzzHeader: addresses, words, dates and subjects never panic, and words come out
// as UTF-8.
func FuzzHeader(f *testing.F) {
	f.Add([]byte("Re: [x] =?utf-8?q?a?= =?b?b?YQ==?= (fwd)"))
	f.Add([]byte("a <b@c>, d: e@f;, \"g\\\"h\" (i(j)k)"))
	f.Add([]byte("Mon, 2 Jan 2006 15:04:05 -0700"))
	f.Fuzz(func(t *testing.T, b []byte) {
		ParseAddresses(b)
		ParseDate(string(b))
		ParseEnvelope(b)
		if s := DecodeHeader(string(b)); bytes.ContainsRune([]byte(s), -1) {
			t.Fatalf("not text: %q", s)
		}
		BaseSubject(string(b))
		DecodeParam(Param{"x*", string(b)})
	})
}

package message

import (
	"fmt"
	"strings"
	"testing"
)

func outline(p *Part, b *strings.Builder, src string) {
	fmt.Fprintf(b, "(%s/%s %d %q", p.Type, p.Subtype, p.Lines, src[p.Body:p.End])
	for _, c := range p.Parts {
		outline(c, b, src)
	}
	if p.Inner != nil {
		outline(p.Inner, b, src)
	}
	b.WriteString(")")
}

func TestStructure(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "Subject: x\n\nhello\nworld\n", `(text/plain 2 "hello\nworld\n")`},
		{"no body", "Subject: x\n", `(text/plain 0 "")`},
		{"no header", "\nhello", `(text/plain 0 "hello")`},
		{"empty", "", `(text/plain 0 "")`},
		{"multipart", "Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n\none\n--b\nContent-Type: text/html\n\ntwo\n\n--b--\nepi\n",
			`(multipart/mixed 11 "pre\n--b\n\none\n--b\nContent-Type: text/html\n\ntwo\n\n--b--\nepi\n"(text/plain 0 "one")(text/html 1 "two\n"))`},
		{"nested", "Content-Type: message/rfc822\n\nSubject: in\n\nbody\n", `(message/rfc822 3 "Subject: in\n\nbody\n"(text/plain 1 "body\n"))`},
		{"longest boundary wins", "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\n\nx\n--ab--\n--a--\n",
			`(multipart/mixed 8 "--a\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\n\nx\n--ab--\n--a--\n"(multipart/mixed 3 "--ab\n\nx\n--ab--"(text/plain 0 "x")))`},
		{"outer boundary ends the inner", "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--a\n\ny\n--a--\n",
			`(multipart/mixed 10 "--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--a\n\ny\n--a--\n"(multipart/mixed 2 "--b\n\nx"(text/plain 0 "x"))(text/plain 0 "y"))`},
		{"text behind a boundary", "Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--ab\n\ny\n--a--c\nz\n",
			`(multipart/mixed 8 "--a\n\nx\n--ab\n\ny\n--a--c\nz\n"(text/plain 0 "x")(text/plain 0 "y"))`},
		{"message cut in its header", "Content-Type: multipart/digest; boundary=a\n\n--a\n--a--\n",
			`(multipart/digest 2 "--a\n--a--\n"(message/rfc822 0 ""(text/plain 0 "")))`},
		{"boundary in a header", "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/html\n--a--\n",
			`(multipart/mixed 3 "--a\nContent-Type: text/html\n--a--\n"(text/html 0 ""))`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, src := range []string{tc.in, strings.ReplaceAll(tc.in, "\n", "\r\n")} {
				m, err := Parse(strings.NewReader(src), int64(len(src)))
				if err != nil {
					t.Fatal(err)
				}
				var b strings.Builder
				outline(m.Root, &b, src)
				if got := strings.ReplaceAll(b.String(), `\r\n`, `\n`); got != tc.want {
					t.Errorf("got  %s\nwant %s", got, tc.want)
				}
				back, err := LoadTable(m.AppendTable(nil))
				if err != nil {
					t.Fatal(err)
				}
				var c strings.Builder
				outline(back.Root, &c, src)
				if strings.Count(c.String(), "(") != strings.Count(b.String(), "(") {
					t.Errorf("the table has another shape: %s", c.String())
				}
			}
		})
	}
}

// TestLongHeader: the fields behind a line that is too long are left out; none is
// spliced with another.
func TestLongHeader(t *testing.T) {
	src := "From: a@b\r\nSubject: " + strings.Repeat("x", maxHeader) + "\r\nTo: c@d\r\nContent-Type: text/html\r\n\r\nbody\r\n"
	m, err := Parse(strings.NewReader(src), int64(len(src)))
	if err != nil {
		t.Fatal(err)
	}
	e := m.Root.Envelope
	if len(e.From) != 1 || e.To != nil || m.Root.Subtype != "plain" || e.Subject == nil || strings.Trim(*e.Subject, "x") != "" {
		t.Errorf("from %v, to %v, type %s", e.From, e.To, m.Root.Subtype)
	}
	if got := src[m.Root.Body:m.Root.End]; got != "body\r\n" {
		t.Errorf("body %q", got)
	}
}

// TestLongDelimiter: what follows a boundary is no part of the next header, however
// long it is.
func TestLongDelimiter(t *testing.T) {
	src := "Content-Type: multipart/mixed; boundary=a\n\n--a" + strings.Repeat(" ", 3*blockSize) + "Subject: x\nContent-Type: text/html\n\nx\n--a--\n"
	m, err := Parse(strings.NewReader(src), int64(len(src)))
	if err != nil {
		t.Fatal(err)
	}
	if p := m.Root.Parts[0]; len(m.Root.Parts) != 1 || p.Subtype != "html" || src[p.Start:p.End] != "Content-Type: text/html\n\nx" {
		t.Errorf("%+v", p)
	}
}

// TestDepth: parts beyond the bound are one opaque part.
func TestDepth(t *testing.T) {
	src := strings.Repeat("Content-Type: message/rfc822\n\n", 3*maxDepth)
	m, err := Parse(strings.NewReader(src), int64(len(src)))
	if err != nil {
		t.Fatal(err)
	}
	depth, p := 1, m.Root
	for ; p.Inner != nil; p = p.Inner {
		depth++
	}
	if depth != maxDepth || p.Type != "application" || p.Subtype != "octet-stream" {
		t.Errorf("%d levels, the last %s/%s", depth, p.Type, p.Subtype)
	}
}

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		`a@b.c`:                       `[{   a b.c false}]`,
		`Anna <a@b.c>, "B, C" <d@e>`:  `[{Anna  a b.c false} {B, C  d e false}]`,
		`a@b.c (Anna X)`:              `[{Anna X  a b.c false}]`,
		`undisclosed-recipients:;`:    `[{  undisclosed-recipients  true} {    true}]`,
		`G: a@b, <c@d>;, e@f`:         `[{  G  true} {  a b false} {  c d false} {    true} {  e f false}]`,
		`<@r1,@r2:a@b>`:               `[{ @r1,@r2 a b false}]`,
		`"a b"@c`:                     `[{  a b c false}]`,
		`just a name`:                 `[{just a name  MISSING_MAILBOX MISSING_DOMAIN false}]`,
		`"": a@b;`:                    `[{  a b false}]`,
		`: a@b;`:                      `[{  a b false}]`,
		`joe`:                         `[{  joe MISSING_DOMAIN false}]`,
		`joe (Joe D)`:                 `[{Joe D  joe MISSING_DOMAIN false}]`,
		`<a@b> x, c@d e`:              `[{  a b false} {  c d false}]`,
		`a@b@c, d@e f@g`:              `[{  a b false} {  d e false} {  f g false}]`,
		`a@b; "c" <d@e>`:              `[{  a b false} {c  d e false}]`,
		`a@[b`:                        `[{  a MISSING_DOMAIN false}]`,
		`"a\"b" <c@d> (x\)y)`:         `[{a"b  c d false}]`,
		`c@d (x\)y)`:                  `[{x)y  c d false}]`,
		`=?utf-8?q?J=C3=B6rg?= <j@x>`: `[{=?utf-8?q?J=C3=B6rg?=  j x false}]`,
		`a . b @ c . d`:               `[{  a.b c.d false}]`,
		`a@[127.0.0.1]`:               `[{  a [127.0.0.1] false}]`,
		`"unclosed <a@b>`:             `[{unclosed  a b false}]`,
		`<a@b`:                        `[{  a b false}]`,
		`,,a@b,,`:                     `[{  a b false}]`,
		``:                            `[]`,
	} {
		got := fmt.Sprint(ParseAddresses([]byte(in)))
		if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestDecodeHeader(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                              "plain",
		"=?utf-8?Q?J=C3=B6rg_M?= <x>":        "Jörg M <x>",
		"=?utf-8?B?w6Q=?= =?utf-8?B?w7Y=?=":  "äö",
		"=?utf-8?B?ww==?= =?utf-8?B?pA==?=":  "ä",
		"=?iso-8859-1*de?q?=E4?=":            "ä",
		"=?nonsense?q?=E4?=":                 "=?nonsense?q?=E4?=",
		"a =? b":                             "a =? b",
		"caf\xe9":                            "café",
		"=?iso-2022-jp?B?GyRCRnxLXDhsGyhC?=": "日本語",
	} {
		if got := DecodeHeader(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestBaseSubject(t *testing.T) {
	for in, want := range map[string]string{
		"Re: x": "x true", "x": "x false", "RE [2]: Fwd: x (fwd) (FWD)": "x true", "[list] Re: x": "x true",
		"[list] x": "x false", "[Fwd: Re: x]": "x true", "[only]": "[only] false", "Re: [a] [b]": "[b] true", "": " false", "re : x": "x true",
	} {
		base, reply := BaseSubject(in)
		if got := fmt.Sprint(base, " ", reply); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestParseDate(t *testing.T) {
	for in, want := range map[string]string{
		"Mon, 2 Jan 2006 15:04:05 -0700":      "2006-01-02T15:04:05-07:00",
		"2 Jan 06 15:04 EST":                  "2006-01-02T15:04:00-05:00",
		"Mon,2 Jan 2006 15:04:05 +0100 (CET)": "2006-01-02T15:04:05+01:00",
		"Fri Jan  2 15:04:05 2006":            "2006-01-02T15:04:05Z",
		"2 Jan 2006":                          "2006-01-02T00:00:00Z",
		"2 Jan 106 1:2:3 XYZ":                 "2006-01-02T01:02:03Z",
		"1-Jan-2006 1:2:3 +0000":              "2006-01-01T01:02:03Z",
	} {
		got, ok := ParseDate(in)
		if !ok || got.Format("2006-01-02T15:04:05Z07:00") != want {
			t.Errorf("%q: got %v %v, want %s", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "x", "32 Jan 2006", "2 Foo 2006", "a b c d"} {
		if got, ok := ParseDate(in); ok {
			t.Errorf("%q: got %v", in, got)
		}
	}
}

// TestFind: part numbers name the parts that there are, and no others.
func TestFind(t *testing.T) {
	const inner = "Content-Type: message/rfc822\n\nSubject: in\n\ntext\n"
	for text, want := range map[string]string{
		"Subject: x\n\ntext\n": "1",
		inner:                  "1 1.1",
		"Content-Type: message/rfc822\n\n" + inner:                                           "1 1.1 1.1.1",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n" + inner + "--b--\n": "1 2 2.1",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\none\n--c\n\ntwo\n": "1 1.1 1.2",
	} {
		m, err := Parse(strings.NewReader(text), int64(len(text)))
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, path := range [][]int{{0}, {1}, {2}, {3}, {1, 0}, {1, 1}, {1, 2}, {1, 3}, {2, 1}, {2, 2}, {1, 1, 1}, {1, 1, 2}, {1, 2, 1}, {2, 1, 1}, {1, 1, 1, 1}} {
			if m.Find(path) != nil {
				found = append(found, strings.ReplaceAll(strings.Trim(fmt.Sprint(path), "[]"), " ", "."))
			}
		}
		if got := strings.Join(found, " "); got != want {
			t.Errorf("%q has %s, not %s", text, got, want)
		}
	}
}

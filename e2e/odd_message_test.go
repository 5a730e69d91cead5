package e2e_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// odd makes odd messages, the same ones from the same seed.
type odd struct {
	*rand.Rand
	bounds []string // of the multiparts that are open
	depth  int
}

func newOdd(seed uint64) *odd { return &odd{Rand: rand.New(rand.NewPCG(seed, 5256))} }

// of is one of some texts.
func (o *odd) of(texts ...string) string { return texts[o.IntN(len(texts))] }

// once is true once in n times.
func (o *odd) once(n int) bool { return o.IntN(n) == 0 }

// some repeats f up to n times.
func (o *odd) some(n int, f func() string) string {
	var out strings.Builder
	for range o.IntN(n + 1) {
		out.WriteString(f())
	}
	return out.String()
}

// message is a whole message, with CRLF.
func (o *odd) message() string {
	o.bounds, o.depth = nil, 0
	m := o.headers() + o.entity()
	switch o.IntN(30) {
	case 0:
		lines := strings.SplitAfter(m, "\r\n")
		return strings.Join(lines[:1+o.IntN(len(lines))], "")
	case 1: // no line end at the end
		return strings.TrimRight(m, "\r\n")
	}
	return m
}

func (o *odd) headers() string {
	fields := []string{
		o.field("From", o.addresses()), o.field("To", o.addresses()), o.field("Subject", o.text()), o.field("Date", o.date()),
		o.field("Message-ID", o.id()),
	}
	for _, f := range []func() string{
		func() string { return o.field(o.of("Cc", "Bcc", "Reply-To", "Sender", "cc", "SENDER"), o.addresses()) },
		func() string { return o.field("In-Reply-To", o.id()) },
		func() string { return o.field("References", o.id()+" "+o.id()) },
		func() string { return o.field(o.of("X-Odd", "Received", "Comments"), o.text()) },
		func() string {
			return o.of("no colon here\r\n", ": no name\r\n", "X-Odd: x\r\n begins with a blank\r\n", "X-Empty:\r\n")
		},
		func() string { return o.field("Subject", o.text()) },
	} {
		if o.once(4) {
			fields = append(fields, f())
		}
	}
	o.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	return strings.Join(fields, "") + "MIME-Version: 1.0\r\n"
}

// field writes a field, folded at some of its blanks.
func (o *odd) field(name, v string) string {
	var b strings.Builder
	b.WriteString(name + o.of(":", ": ", ": ", ": ", ":  ", " : "))
	for _, c := range []byte(v) {
		if c == ' ' && o.once(12) {
			b.WriteString("\r\n")
		}
		b.WriteByte(c)
	}
	return b.String() + "\r\n"
}

func (o *odd) id() string {
	return o.of("<a@b>", "<1.2@example.org>", "<x$y%z@[1.2.3.4]>", "<\"q\"@h>", "a@b", "<noat>", "", "<a b@c>", "<a@b> (comment)", "text <a@b> <c@d>")
}

func (o *odd) word() string {
	return o.of("one", "two", "three", "re:", "[list]", "a.b", "x=y", "ümläut", "\xe9t\xe9", "日本", "(fwd)", "50%", "it's", "Ж", "a_b")
}

// encoded is an encoded word of RFC 2047, perhaps a wrong one.
func (o *odd) encoded() string {
	return o.of("=?utf-8?q?caf=C3=A9?=", "=?utf-8?Q?a_b?=", "=?UTF-8?B?w7w=?=", "=?utf-8?b?w7w?=", "=?iso-8859-1?q?=E9?=", "=?utf-8?q?=C3?= =?utf-8?q?=A9?=",
		"=?x-unknown?q?abc?=", "=?utf-8*de?q?wort?=", "=?utf-8?x?abc?=", "=?utf-8?q?open", "=??q?a?=", "=?utf-8?b?!!!?=", "=?utf-8?q?a?b?=", "=?utf-8?q??=",
		"=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(o.word()))+"?=")
}

func (o *odd) text() string {
	words := []string{}
	for range o.IntN(6) {
		if o.once(3) {
			words = append(words, o.encoded())
		} else {
			words = append(words, o.word())
		}
	}
	return strings.Join(words, " ")
}

func (o *odd) date() string {
	day := o.of("Mon, ", "Tue, ", "", "", "Fri,", "Monday, ")
	return fmt.Sprintf("%s%d %s %s %02d:%02d%s%s", day, 1+o.IntN(31), o.of("Jan", "Feb", "Mar", "Apr", "may", "JUN", "Dec"), o.of("2024", "2023", "99", "02", "100", "1999"),
		o.IntN(24), o.IntN(60), o.of("", ":30", ":59"), o.of("", " +0000", " -0800", " +0530", " EST", " PDT", " UT", " GMT", " Z", " A", " CEST", " -0000", " (comment)", " +0100 (CET)"))
}

func (o *odd) addresses() string {
	var list []string
	for range 1 + o.IntN(3) {
		list = append(list, o.address())
	}
	return strings.Join(list, o.of(", ", ", ", ",", " , "))
}

func (o *odd) address() string {
	switch o.IntN(12) {
	case 0:
		return o.of("group", "\"My Friends\"", "a b") + ": " + o.of("", o.spec(), o.spec()+", "+o.spec()) + ";"
	case 1:
		return "<@" + o.of("r1", "r1,@r2") + ":" + o.spec() + ">"
	case 2:
		return o.spec() + " (" + o.of("Joe", "J (x) D", "a\\)b", "=?utf-8?q?J=C3=B6e?=") + ")"
	case 3:
		return o.encoded() + " <" + o.spec() + ">"
	case 4:
		return "\"" + o.of("Last, First", "a\\\"b", "a\\\\b", "tab", "") + "\" <" + o.spec() + ">"
	case 5:
		return o.of("Joe Q. Public", "Joe", "J. (c) D", "ümläut", "\xfcml") + " <" + o.spec() + ">"
	case 6:
		return o.of("undisclosed-recipients:;", "joe", "<>", "<joe>")
	}
	return o.spec()
}

func (o *odd) spec() string {
	return o.of("a", "a.b", "\"a b\"", "\"a@b\"", "a+b", "a'b", "x_y") + "@" + o.of("example.org", "b", "[127.0.0.1]", "sub.example.co.uk", "ex-ample.org")
}

// entity is MIME fields, the blank line and the body.
func (o *odd) entity() string {
	if o.depth++; o.depth > 5 {
		o.depth--
		return "\r\n" + o.plain()
	}
	defer func() { o.depth-- }()
	switch o.IntN(8) {
	case 0, 1, 2:
		return o.multipart()
	case 3:
		return "Content-Type: message/rfc822" + o.of("", "; name=x") + "\r\n" + o.mimeFields(false) + "\r\n" + o.headers() + o.entity()
	case 4:
		return o.mimeFields(true) + "\r\n" + o.plain()
	}
	return o.contentType() + o.mimeFields(true) + "\r\n" + o.plain()
}

func (o *odd) plain() string {
	return o.some(6, func() string {
		return o.of("a line", "", "--", "-- ", "--x", "--b", "From me", ".", " blank", "wörd", "trailing \t", "=3D=", strings.Repeat("long", 60), "--"+o.of(append(o.bounds, "bb")...)+"x") + "\r\n"
	})
}

func (o *odd) boundary() string {
	b := o.of("b", "bb", "b b", "b-", "x", "=_x", "a'()+_,-./:=?", strings.Repeat("l", 70), "Part.1", "X")
	if n := len(o.bounds); n > 0 && o.once(3) {
		b = o.bounds[n-1] + o.of("1", "x", "-", "", "b")
	}
	return b
}

func (o *odd) multipart() string {
	bound := o.boundary()
	kind := o.of("mixed", "alternative", "digest", "related", "signed", "MIXED", "x-odd", "report")
	head := "Content-Type: multipart/" + kind + o.of(";", "; ", ";\r\n ", ";\r\n\t", " ;") + o.of("boundary", "BOUNDARY", "Boundary") + "=\"" + bound + "\""
	head += o.params(2) + "\r\n" + o.mimeFields(false) + "\r\n"
	outer := o.bounds
	o.bounds = append(outer[:len(outer):len(outer)], bound)
	body := o.some(1, o.plain)
	for range o.IntN(4) {
		body += "--" + bound + o.of("", "", "", " ", "\t") + "\r\n" + o.entity() + o.of("\r\n", "\r\n", "")
		if !strings.HasSuffix(body, "\r\n") {
			body += "\r\n"
		}
	}
	if !o.once(5) {
		body += "--" + bound + "--" + "\r\n"
	}
	o.bounds = outer
	return head + body + o.some(1, o.plain)
}

func (o *odd) contentType() string {
	t := o.of("text/plain", "text/html", "TEXT/Html", "image/png", "application/pdf", "application/octet-stream", "text/x-odd", "message/delivery-status", "audio/x", "message/partial")
	return "Content-Type: " + t + o.params(3) + "\r\n"
}

// params are up to n parameters with names of their own.
func (o *odd) params(n int) string {
	all := []string{
		o.of("charset=utf-8", "charset=\"iso-8859-1\"", "charset=us-ascii (comment)"), "format=flowed", "x=\"q\\\"q\"", "y=\"\"", "z=1", "delsp=yes", "x-mac-type=\"54455854\"",
		o.of("name=\"a b.txt\"", "name=a.txt", "name*=utf-8''%e2%82%ac.txt", "name*0=a; name*1=b", "name*1=b; name*0=a", "name*0*=utf-8''a; name*1=\"b c\"; name*2*=%20d", "name=\"=?utf-8?q?a=C3=A9?=\""),
		o.of("title*0=\"x\"", "title*0=a;\r\n title*1=\"c d\"", "title*00=a; title*1=b", "title*0*=x; title*1=y"),
	}
	o.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var out string
	for _, p := range all[:o.IntN(n+1)] {
		out += o.of("; ", ";", ";\r\n ", " ; ") + p
	}
	return out
}

func (o *odd) mimeFields(encoding bool) string {
	var out []string
	if encoding && o.once(2) {
		out = append(out, o.field("Content-Transfer-Encoding", o.of("7bit", "8bit", "base64", "quoted-printable", "BASE64", "binary", "x-odd", "base64 (comment)")))
	}
	for _, f := range []string{
		o.field("Content-ID", o.of("<a@b>", "<1>", "x")), o.field("Content-Description", o.of("a text", "=?utf-8?q?=C3=A9?=", "8-bit \xe9")),
		o.field("Content-Disposition", o.of("inline", "attachment", "attachment; filename=a.txt", "INLINE; filename=\"a b\"; size=3", "attachment; filename*=utf-8''%20", "x-odd")),
		o.field("Content-Language", o.of("de, en", "en-US , fr", "x, y, z")), o.field("Content-Location", o.of("http://x/y", "a.txt")),
		o.field("Content-MD5", o.of("Q2hlY2sgSW50ZWdyaXR5IQ==")),
	} {
		if o.once(5) {
			out = append(out, f)
		}
	}
	o.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return strings.Join(out, "")
}

// hardOnes are the messages of the corpus, with CRLF.
func hardOnes(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("../message/testdata/hard/*.eml")
	if err != nil || len(names) == 0 {
		t.Fatal("no hard messages", err)
	}
	var out []string
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, crlf(string(b)))
	}
	return out
}

func crlf(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	return strings.ReplaceAll(s, "\n", "\r\n")
}

// mutate changes a message in some places; mixed breaks its line ends, too.
func (o *odd) mutate(m string, others []string, mixed bool) string {
	lines := strings.SplitAfter(m, "\r\n")
	for range 1 + o.IntN(4) {
		i, j := o.IntN(len(lines)), o.IntN(len(lines))
		switch o.IntN(9) {
		case 0:
			lines = append(lines[:i:i], lines[min(i+1, len(lines)):]...)
		case 1:
			lines[i] += lines[j]
		case 2:
			lines[i], lines[j] = lines[j], lines[i]
		case 3:
			lines[i] = o.special(lines[i], mixed)
		case 4:
			lines[i] = strings.Replace(lines[i], " ", o.of("\r\n ", "\r\n\t", "  ", "\t", ""), 1+o.IntN(3))
		case 5:
			other := strings.SplitAfter(others[o.IntN(len(others))], "\r\n")
			k := o.IntN(len(other))
			lines[i] += strings.Join(other[k:min(k+1+o.IntN(8), len(other))], "")
		case 6:
			if mixed {
				lines[i] = strings.Replace(lines[i], "\r\n", o.of("\n", "\r", "\r\r\n", "\r\n\r\n"), 1)
			} else {
				lines[i] = strings.TrimSuffix(lines[i], "\r\n") + o.of(" ", "\t", "--", ";") + "\r\n"
			}
		case 7:
			lines[i] = strings.TrimSuffix(lines[i], "\r\n") // joined with the next
		case 8:
			lines[i] = o.of(strings.ToUpper(lines[i]), strings.Repeat(lines[i], 3))
		}
		if len(lines) == 0 {
			return ""
		}
	}
	return strings.Join(lines, "")
}

// special puts a special character somewhere into a line.
func (o *odd) special(line string, mixed bool) string {
	n := o.IntN(len(strings.TrimSuffix(line, "\r\n")) + 1)
	c := o.of("\"", "(", ")", "<", ">", "@", ",", ";", ":", "\\", ".", "[", "]", "=", "*", "'", "%", "?", "\xe9", "ü", "/", "\t", "=?", "?=")
	if mixed && o.once(3) {
		c = o.of("\x00", "\r", "\n", "\x7f", "\x01")
	}
	if o.once(2) && n < len(line)-2 {
		return line[:n] + c + line[n+1:]
	}
	return line[:n] + c + line[n:]
}

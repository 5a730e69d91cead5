package imap

import (
	"bytes"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"postrider/mail"
)

func TestStrings(t *testing.T) {
	for in, want := range map[string]string{
		"": `""`, "a b": `"a b"`, `a"\b`: `"a\"\\b"`, "a\tb": "\"a\tb\"",
		"a\r\nb": "{4}\r\na\r\nb", "é": "{2}\r\né", "a\x00b": "{3}\r\na\x80b",
	} {
		if got := string(AppendString(nil, []byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := AppendString(nil, bytes.Repeat([]byte("x"), maxQuoted+1)); got[0] != '{' {
		t.Errorf("a long string begins with %q", got[:10])
	}
	for in, want := range map[string]string{"Sent": "Sent", "": `""`, "nIl": `"nIl"`, "a b": `"a b"`, "a]": `"a]"`, "é": "{2}\r\né", "NILS": "NILS"} {
		if got := string(AppendAstring(nil, []byte(in))); got != want {
			t.Errorf("astring %q: %q, want %q", in, got, want)
		}
	}
	if got := string(AppendNString(AppendNString(nil, nil), []byte{})); got != `NIL""` {
		t.Errorf("nstrings: %q", got)
	}
	if got := string(AppendMailbox(nil, "Entwürfe & mehr")); got != `"Entw&APw-rfe &- mehr"` {
		t.Errorf("mailbox: %q", got)
	}
	if got := string(AppendFlags(nil, mail.Seen|mail.Draft, true, []string{"$x"})); got != `(\Draft \Seen \Recent $x)` {
		t.Errorf("flags: %q", got)
	}
	if got := string(AppendFlags(nil, 0, false, nil)); got != "()" {
		t.Errorf("no flags: %q", got)
	}
	if got := string(AppendID(AppendID(nil, nil), [][2]string{{"name", "Post\"rider"}})); got != `NIL("name" "Post\"rider")` {
		t.Errorf("ID: %q", got)
	}
}

// FuzzStrings: what the encoder writes, framer and decoder read back as it was.
func FuzzStrings(f *testing.F) {
	f.Add([]byte("a b"), "Entwürfe")
	f.Add([]byte("NIL"), "a\r\nb")
	f.Add([]byte("x\"\\{3+}\r\n"), "&")
	f.Fuzz(func(t *testing.T, s []byte, name string) {
		want := bytes.ReplaceAll(s, []byte{0}, []byte{0x80})
		line := AppendString(nil, s)
		line = AppendAstring(append(line, ' '), s)
		line = AppendNString(append(line, ' '), s)
		line = AppendMailbox(append(line, ' '), name)
		var fr Framer
		src := &pieces{b: append(line, "\r\n"...)}
		err := fr.Begin(src, 1<<20)
		for _, pending := fr.Literal(); err == nil && pending; _, pending = fr.Literal() {
			err = fr.Include(src)
		}
		if err != nil {
			t.Fatal(err)
		}
		d := NewDecoder(fr.Bytes())
		a := d.String()
		d.SP()
		b := d.Astring()
		d.SP()
		c, ok := d.NString()
		if !bytes.Equal(a, want) || !bytes.Equal(b, want) || d.Err() == nil && ok && !bytes.Equal(c, want) {
			t.Errorf("%q came back as %q, %q, %q (%v)", s, a, b, c, d.Err())
		}
		d.SP()
		valid := strings.ToValidUTF8(name, "\uFFFD")
		if got := d.Mailbox(); name == valid && got != name && !strings.EqualFold(name, "INBOX") || d.Err() != nil {
			t.Errorf("the name %q came back as %q, %v", name, got, d.Err())
		}
	})
}

func TestStatusLines(t *testing.T) {
	for _, tc := range []struct {
		s    *Status
		want string
	}{
		{OK(CodeReadOnly, "done"), "OK [READ-ONLY] done"},
		{No("", ""), "NO Ok."},
		{Bad("a\r\nb OK x\x00"), "BAD a  b OK x "},
		{Bye("UIDNEXT 5\r\n", "x"), "BYE [UIDNEXT 5  ] x"},
		{OK("", "[ALERT] not a code"), "OK - [ALERT] not a code"},
		{&Status{Kind: KindPreauth, Text: "hello"}, "PREAUTH hello"},
	} {
		if got := tc.s.Error(); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

var update = flag.Bool("update", false, "write the golden file")

// The words that stand in capability.go and code.go are a promise to clients: a
// change shows in the golden file.
func TestWordsGolden(t *testing.T) {
	var all []string
	for _, file := range []string{"capability.go", "code.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok {
				for i, name := range v.Names {
					word, _ := strconv.Unquote(v.Values[i].(*ast.BasicLit).Value)
					all = append(all, name.Name+" "+word)
				}
			}
			return true
		})
	}
	slices.Sort(all)
	got := strings.Join(all, "\n") + "\n"
	const golden = "testdata/words.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the words are\n%s\nand not as in %s", got, golden)
	}
}

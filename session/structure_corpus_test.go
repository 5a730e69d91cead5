package session

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const hardMessages = "../message/testdata/hard"

// TestHardMessages compares what we say of the hard messages with what Dovecot says
// (message/testdata/regen). Every difference is in differences, by message and item.
func TestHardMessages(t *testing.T) {
	files, err := filepath.Glob(hardMessages + "/*.eml")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d messages, %v", len(files), err)
	}
	listed := listedDifferences(t)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".eml")
		theirs := golden(t, name)
		for item, our := range ours(t, file) {
			key := name + " " + item
			switch what, known := listed[key]; {
			case our != theirs[item] && !known:
				t.Errorf("%s\n    we say %s\nDovecot says %s", key, our, theirs[item])
			case our == theirs[item] && known:
				t.Errorf("%s is no difference any more: %s", key, what)
			}
			delete(listed, key)
		}
	}
	for key := range listed {
		t.Errorf("%s is listed, and there is no such message", key)
	}
}

// listedDifferences gives the differences by message and item.
func listedDifferences(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, d := range differences {
		add := func(names string, items ...string) {
			for _, name := range strings.Fields(names) {
				for _, item := range items {
					if out[name+" "+item] != "" {
						t.Errorf("%s %s is listed twice", name, item)
					}
					out[name+" "+item] = d.what
				}
			}
		}
		add(d.envelope, "ENVELOPE")
		add(d.structure, "BODY", "BODYSTRUCTURE")
		add(d.extended, "BODYSTRUCTURE")
	}
	return out
}

// TestDifferencesDocumented: users read of the same differences, with the same reasons.
func TestDifferencesDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/mime-differences.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		row := "| " + d.what + " | " + d.rfc + " |"
		at := strings.Index(string(doc), row)
		if at < 0 {
			t.Errorf("docs/mime-differences.md has no row that begins %q", row)
			continue
		}
		line, _, _ := strings.Cut(string(doc[at:]), "\n")
		for _, name := range strings.Fields(d.envelope + " " + d.structure + " " + d.extended) {
			if !strings.Contains(line, "`"+name+"`") {
				t.Errorf("docs/mime-differences.md: the row %q does not name %s", d.what, name)
			}
		}
	}
}

// ours gives our three items of a message, in the form of canonical.
func ours(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := derive(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for item, wire := range map[string][]byte{"ENVELOPE": d.envelope, "BODY": d.body, "BODYSTRUCTURE": d.structure} {
		value, rest := canonical(t, file+" "+item, wire)
		if len(rest) > 0 {
			t.Errorf("%s: our %s goes on: %q", file, item, rest)
		}
		out[item] = value
	}
	return out
}

// golden reads the stored answers of Dovecot.
func golden(t *testing.T, name string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../message/testdata/dovecot", name+".golden"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, item := range []string{"ENVELOPE", "BODY", "BODYSTRUCTURE"} {
		rest, ok := bytes.CutPrefix(b, []byte(item+" "))
		if !ok {
			t.Fatalf("%s: no %s at %q", name, item, b)
		}
		out[item], rest = canonical(t, name, rest)
		b = bytes.TrimPrefix(rest, []byte("\r\n"))
	}
	return out
}

// canonical reads one value of the wire syntax and writes it in one spelling, in
// which a literal looks like a quoted string, so that equal values are equal texts.
func canonical(t *testing.T, what string, b []byte) (value string, rest []byte) {
	t.Helper()
	var out strings.Builder
	depth := 0
	for len(b) > 0 {
		switch c := b[0]; c {
		case '(', ')':
			if depth++; c == ')' {
				depth -= 2
			}
			out.WriteByte(c)
			b = b[1:]
		case ' ':
			out.WriteByte(c)
			b = b[1:]
		case '"', '{':
			var s []byte
			if s, b = wireString(b); b == nil {
				t.Fatalf("%s: a string that does not end", what)
			}
			fmt.Fprintf(&out, "%q", s)
		default:
			n := bytes.IndexAny(b, " ()\r\n")
			if n == 0 {
				t.Fatalf("%s: a bare line end at %q", what, b)
			} else if n < 0 {
				n = len(b)
			}
			out.Write(b[:n])
			b = b[n:]
		}
		if depth == 0 {
			return out.String(), b
		}
	}
	t.Fatalf("%s: a list that does not end", what)
	return "", nil
}

// wireString takes a quoted string or a literal off; rest is nil if there is none.
func wireString(b []byte) (s, rest []byte) {
	if b[0] == '{' {
		end := bytes.Index(b, []byte("}\r\n"))
		n, err := strconv.Atoi(string(b[1:max(end, 1)]))
		if err != nil || end+3+n > len(b) {
			return nil, nil
		}
		return b[end+3 : end+3+n], b[end+3+n:]
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			return s, b[i+1:]
		case '\\':
			i++
		}
		if i < len(b) {
			s = append(s, b[i])
		}
	}
	return nil, nil
}

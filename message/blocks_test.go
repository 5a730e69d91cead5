package message

import (
	"strings"
	"testing"
)

// TestBlockBorders lets the border between two blocks that are read fall on every
// octet of a delimiter and of what stands round it.
func TestBlockBorders(t *testing.T) {
	const filler = "one\n-two\n--three\n\n-\n--\nx\n"
	for _, eol := range []string{"\n", "\r\n"} {
		head := strings.ReplaceAll("Content-Type: multipart/mixed; boundary=bound\n\n--bound\n\n", "\n", eol)
		tail := strings.ReplaceAll("\n--bound  \nContent-Type: text/html\n\n-second\n\n--bound--\nepilogue\n--bound\n", "\n", eol)
		lines := strings.ReplaceAll(filler, "\n", eol)
		for shift := range len(tail) + 10 {
			first := strings.Repeat(lines, blockSize/len(lines)+1)[:blockSize-len(head)-len(tail)-5+shift]
			if eol == "\r\n" && strings.HasSuffix(first, "\r") {
				first = first[:len(first)-1] + "z"
			}
			src := head + first + tail
			m, err := Parse(strings.NewReader(src), int64(len(src)))
			if err != nil {
				t.Fatal(err)
			}
			parts := m.Root.Parts
			if len(parts) != 2 || src[parts[0].Body:parts[0].End] != first || parts[0].Lines != int64(strings.Count(first, "\n")) {
				t.Fatalf("%q, shifted by %d: %d parts, the first %d octets, %d lines", eol, shift, len(parts), parts[0].Text().Len(), parts[0].Lines)
			}
			if got := src[parts[1].Body:parts[1].End]; got != "-second"+eol || parts[1].Lines != 1 || parts[1].Subtype != "html" {
				t.Fatalf("%q, shifted by %d: the second part is %q, %d lines", eol, shift, got, parts[1].Lines)
			}
			if want := int64(strings.Count(src, "\n") - 2); m.Root.Lines != want {
				t.Fatalf("%q, shifted by %d: %d lines, want %d", eol, shift, m.Root.Lines, want)
			}
		}
	}
}

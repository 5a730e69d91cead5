package message

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// widest notes the longest read.
type widest struct {
	io.ReaderAt
	n int
}

func (w *widest) ReadAt(b []byte, at int64) (int, error) {
	w.n = max(w.n, len(b))
	return w.ReaderAt.ReadAt(b, at)
}

// A header is read whole, but one without end only as far as is looked at, by lines, and
// as a header that ended there.
func TestReadHeader(t *testing.T) {
	const line = "X-Filler: nothing that anybody wants to know\r\n"
	for name, tc := range map[string]struct {
		text  string
		whole bool
	}{
		"usual":          {"Subject: x\r\n\r\nbody\r\n", true},
		"empty":          {"", true},
		"no blank line":  {"Subject: x\r\n", true},
		"long":           {"Subject: x\r\n" + strings.Repeat(line, 1000) + "\r\nbody", true},
		"endless":        {"Subject: x\r\n" + strings.Repeat(line, 1_000_000), false},
		"one line":       {"Subject: " + strings.Repeat("x", 30<<20), false},
		"long and ended": {"Subject: x\r\n" + strings.Repeat(line, 30_000) + "\r\nbody", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := &widest{ReaderAt: strings.NewReader(tc.text)}
			m, err := Parse(r, int64(len(tc.text)))
			if err != nil {
				t.Fatal(err)
			}
			h, err := ReadHeader(r, m.Root.Header())
			if err != nil {
				t.Fatal(err)
			}
			if tc.whole {
				if want := tc.text[:m.Root.Header().Len()]; string(h) != want {
					t.Errorf("%d octets, not %d", len(h), len(want))
				}
				return
			}
			if len(h) > maxHeader+2 || r.n > maxHeader {
				t.Errorf("%d octets, %d read at once", len(h), r.n)
			}
			if !bytes.HasSuffix(h, []byte("\r\n")) || !strings.HasPrefix(tc.text, string(h[:len(h)-2])) || name != "one line" && !bytes.HasSuffix(h, []byte("know\r\n\r\n")) {
				t.Errorf("it ends in %q", h[max(0, len(h)-60):])
			}
		})
	}
	if _, err := ReadHeader(strings.NewReader("Sub"), Span{0, 10}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut off: %v", err)
	}
}

package message

import (
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/quotedprintable"
	"strings"
	"testing"
	"testing/iotest"
)

// decoded decodes a body of a transfer encoding, also read octet by octet.
func decoded(t *testing.T, encoding, body string) string {
	t.Helper()
	part := &Part{Encoding: encoding, End: int64(len(body))}
	whole, err := io.ReadAll(DecodeBody(part, strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	bit, err := io.ReadAll(iotest.OneByteReader(DecodeBody(part, strings.NewReader(body))))
	if err != nil || string(bit) != string(whole) {
		t.Errorf("%.60q: %.60q octet by octet, %.60q as a whole, %v", body, bit, whole, err)
	}
	return string(whole)
}

func TestQuotedPrintable(t *testing.T) {
	long := strings.Repeat("a long line ", 5000)
	for body, want := range map[string]string{
		"caf=C3=a9":                 "café",
		"soft=\r\nbreak":            "softbreak",
		"soft= \t\r\nbreak":         "softbreak",
		"soft=\nbreak=":             "softbreak",
		"blanks  \t\r\nat the end ": "blanks\r\nat the end",
		" =20\r\n":                  "  \r\n",
		"a=b =ZZ =4 ==41":           "a=b =ZZ =4 =A",
		"bell\x07 escape\x1b form\x0c nul\x00 del\x7f end": "bell\x07 escape\x1b form\x0c nul\x00 del\x7f end",
		"caf\xe9 \xff":               "caf\xe9 \xff",
		"lone\rcr \r\r\n":            "lone\rcr \r\r\n",
		long + "=41\r\n":             long + "A\r\n",
		strings.Repeat(" ", 5000):    strings.Repeat(" ", 4990),
		"=" + strings.Repeat(" ", 5): "",
	} {
		if got := decoded(t, "Quoted-Printable", body); got != want {
			t.Errorf("%.60q gives %.60q, not %.60q", body, got, want)
		}
	}
}

func TestBase64(t *testing.T) {
	for body, want := range map[string]string{
		"YWJj":                   "abc",
		"YW\r\nJj\r\n":           "abc",
		"YWI=":                   "ab",
		"YWI":                    "ab",
		"YQ==":                   "a",
		"YQ":                     "a",
		"YWJjZ":                  "abc",
		"YQ==YQ==":               "aa",
		"YQ==\r\nYmM=\r\nZGVm":   "abcdef",
		"Y!W*J j":                "abc",
		"====":                   "",
		"YWJj\r\n-- \r\na list=": "abc" + string([]byte{0x6a, 0x58, 0xac}),
	} {
		if got := decoded(t, "base64", body); got != want {
			t.Errorf("%q gives %q, not %q", body, got, want)
		}
	}
}

// What the standard library encodes is decoded, whatever the lengths.
func TestTransferRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		text := make([]byte, r.IntN(9000))
		for i := range text {
			text[i] = byte(r.IntN(256))
		}
		var b strings.Builder
		w := quotedprintable.NewWriter(&b)
		w.Binary = true
		fmt.Fprintf(w, "%s", text)
		w.Close()
		if got := decoded(t, "quoted-printable", b.String()); got != string(text) {
			t.Fatalf("quoted-printable of %d octets comes back otherwise", len(text))
		}
		lines := base64.StdEncoding.EncodeToString(text)
		for i := 76; i < len(lines); i += 78 {
			lines = lines[:i] + "\r\n" + lines[i:]
		}
		if got := decoded(t, "base64", lines); got != string(text) {
			t.Fatalf("base64 of %d octets comes back otherwise", len(text))
		}
	}
}

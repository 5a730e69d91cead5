package imap

import (
	"errors"
	"strings"
	"testing"
	"time"

	"postrider/mail"
)

// read runs one parse function over a whole text.
func read[A any](text string, parse func(*Decoder) A) (A, error) {
	d := NewDecoder([]byte(text))
	a := parse(d)
	d.End()
	return a, d.Err()
}

// wantError checks an error's offset and words; an empty want means no error.
func wantError(t *testing.T, err error, offset int, expected string) {
	t.Helper()
	var s *SyntaxError
	switch {
	case expected == "" && err == nil:
	case expected == "":
		t.Errorf("error %v", err)
	case !errors.As(err, &s) || s.Offset != offset || s.Expected != expected:
		t.Errorf("error %#v, want %q at %d", err, expected, offset)
	}
}

func TestAstring(t *testing.T) {
	for _, tc := range []struct {
		in, want string
		at       int
		expected string
	}{
		{in: "abc", want: "abc"},
		{in: "a]b", want: "a]b"},
		{in: "NIL", want: "NIL"},
		{in: "~x", want: "~x"},
		{in: `""`, want: ""},
		{in: `"a b"`, want: "a b"},
		{in: `"a\"b\\c"`, want: `a"b\c`},
		{in: `"a\bc"`, want: "abc"},
		{in: "\"gr\u00fc\u00dfe\"", want: "gr\u00fc\u00dfe"},
		{in: "\"\xfc\"", want: "\xfc"},
		{in: "{3}\r\na\r\n", want: "a\r\n"},
		{in: "{3+}\r\n\x80\x01\xff", want: "\x80\x01\xff"},
		{in: "{0}\r\n", want: ""},
		{in: "", at: 0, expected: "an atom or a string"},
		{in: "(", at: 0, expected: "an atom or a string"},
		{in: `"abc`, at: 4, expected: `the closing '"' of a string`},
		{in: `"abc\`, at: 5, expected: `the closing '"' of a string`},
		{in: "\"a\rb\"", at: 2, expected: "a character that a quoted string may hold"},
		{in: "\"a\x00\"", at: 2, expected: "a character that a quoted string may hold"},
		{in: "{3}\r\na\x00b", at: 6, expected: "a literal without NUL"},
		{in: "{4}\r\nabc", at: 0, expected: "a whole literal"},
		{in: "{3}abc", at: 3, expected: "a literal"},
		{in: "{x}", at: 1, expected: "a literal"},
		{in: "~{1}\r\n\x00", at: 1, expected: "the end of the command"},
		{in: "a\x80", at: 1, expected: "the end of the command"},
		{in: "a\x00", at: 1, expected: "the end of the command"},
	} {
		got, err := read(tc.in, (*Decoder).Astring)
		if wantError(t, err, tc.at, tc.expected); err == nil && string(got) != tc.want || t.Failed() {
			t.Fatalf("%q: %q, %v", tc.in, got, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"0", 0, true}, {"007", 7, true}, {"4294967295", 1<<32 - 1, true}, {"4294967296", 0, false},
		{"99999999999999999999999", 0, false}, {"-1", 0, false}, {"+1", 0, false}, {"", 0, false}, {"1.0", 0, false},
	} {
		if n, err := read(tc.in, (*Decoder).Number); int64(n) != tc.want && err == nil || (err == nil) != tc.ok {
			t.Errorf("%q: %d, %v", tc.in, n, err)
		}
	}
	for in, ok := range map[string]bool{"9223372036854775807": true, "9223372036854775808": false} {
		if n, err := read(in, (*Decoder).Number64); (err == nil) != ok {
			t.Errorf("%q: %d, %v", in, n, err)
		}
	}
	if _, err := read("0", (*Decoder).NZNumber); err == nil {
		t.Error("0 taken for an nz-number")
	}
}

func TestSets(t *testing.T) {
	for in, want := range map[string]string{
		"1": "1", "*": "*", "1:*": "1:*", "*:4,5:7": "*:4,5:7", "2,4:7,9,12:*": "2,4:7,9,12:*", "4294967295": "4294967295",
		"9:2": "9:2", "*:*": "*",
		"0": "", "1:0": "", "1,": "", ",1": "", "1:": "", "": "", "1:2:3": "", "a": "", "4294967296": "", "$": "", "1 ,2": "",
	} {
		s, err := read(in, (*Decoder).UIDSet)
		if (err == nil) != (want != "") || err == nil && s.String() != want {
			t.Errorf("%q: %v, %v", in, s, err)
		}
	}
}

func TestDates(t *testing.T) {
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	for in, want := range map[string]time.Time{
		"1-Feb-1994": day(1994, 2, 1), `"1-feb-1994"`: day(1994, 2, 1), "01-FEB-2024": day(2024, 2, 1), "29-Feb-2024": day(2024, 2, 29),
		"29-Feb-2023": {}, "31-Apr-2024": {}, "0-Jan-2024": {}, "32-Jan-2024": {}, "001-Jan-2024": {}, "1-Jan-24": {}, "1-Jan-02024": {},
		"1-Foo-2024": {}, `"1-Jan-2024`: {}, "1-Jan": {}, "": {}, "1 Jan 2024": {},
	} {
		got, err := read(in, (*Decoder).Date)
		if !got.Equal(want) || (err == nil) == want.IsZero() {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
}

func TestDateTimes(t *testing.T) {
	for in, want := range map[string]string{
		`"17-Jul-1996 02:44:25 -0700"`: `"17-Jul-1996 02:44:25 -0700"`,
		`" 7-Jul-1996 02:44:25 +0000"`: `" 7-Jul-1996 02:44:25 +0000"`,
		`"7-Jul-1996 02:44:25 +0530"`:  `" 7-Jul-1996 02:44:25 +0530"`,
		`"07-JUL-1996 23:59:60 -0000"`: `" 8-Jul-1996 00:00:00 +0000"`,
		`"17-Jul-1996 24:00:00 +0000"`: "", `"17-Jul-1996 02:60:00 +0000"`: "", `"17-Jul-1996 02:44:25 0700"`: "",
		`"17-Jul-1996 02:44:25 +700"`: "", `"17-Jul-1996 02:44:25 +0760"`: "", `"17-Jul-1996 02:44:25 +2400"`: "",
		`"17-Jul-96 02:44:25 +0000"`: "", `17-Jul-1996 02:44:25 +0000`: "", `"17-Jul-1996"`: "",
	} {
		got, err := read(in, (*Decoder).DateTime)
		if (err == nil) != (want != "") || err == nil && string(AppendDateTime(nil, got)) != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
}

func TestAppendDateTimeBounds(t *testing.T) {
	for _, tm := range []time.Time{time.Unix(1<<40, 0), time.Unix(-1<<40, 0), {}, time.Unix(0, 0)} {
		b := AppendDateTime(nil, tm.UTC())
		if _, err := read(string(b), (*Decoder).DateTime); err != nil {
			t.Errorf("%s: %v", b, err)
		}
	}
}

func TestMailbox(t *testing.T) {
	for in, want := range map[string]string{
		"inBox": "INBOX", `"INBOX"`: "INBOX", "INBOX.Sent": "INBOX.Sent", "Entw&APw-rfe": "Entwürfe", `"A &- B"`: "A & B",
		"\"Entw\u00fcrfe\"": "Entwürfe", "{5}\r\ninbox": "INBOX", `""`: "", "a]b": "a]b",
		"A&B": "", `"Entw&APw"`: "", "\"\xff\"": "", "{1}\r\n\n": "", "a%": "", "a b": "",
	} {
		got, err := read(in, (*Decoder).Mailbox)
		if got != want && err == nil || (err == nil) != (want != "" || in == `""`) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for in, want := range map[string]string{"%": "%", "INBOX.*": "INBOX.*", `"Entw&APw-%"`: "Entwü%", "{1}\r\n*": "*"} {
		if got, err := read(in, (*Decoder).ListPattern); got != want || err != nil {
			t.Errorf("pattern %q: %q, %v", in, got, err)
		}
	}
}

func TestFlagLists(t *testing.T) {
	for _, tc := range []struct {
		in, keywords, unknown string
		flags                 mail.Flags
		recent, bad           bool
	}{
		{in: "()"},
		{in: `(\Seen \deleted)`, flags: mail.Seen | mail.Deleted},
		{in: `(\Recent $Forwarded NonJunk )`, recent: true, keywords: "$Forwarded NonJunk"},
		{in: `(\X-Odd \Seen)`, unknown: `\X-Odd`, flags: mail.Seen},
		{in: `(\*)`, bad: true}, {in: `(\)`, bad: true}, {in: `(`, bad: true}, {in: `(a`, bad: true}, {in: `(a"b)`, bad: true},
		{in: `(` + strings.Repeat("k", 300) + `)`, bad: true}, {in: `(a]b)`, bad: true},
		{in: `(` + strings.Repeat("k ", maxFlags+1) + `)`, bad: true},
	} {
		f, err := read(tc.in, (*Decoder).FlagList)
		if (err != nil) != tc.bad {
			t.Errorf("%.40q: %v", tc.in, err)
		}
		if err == nil && (f.System != tc.flags || f.Recent != tc.recent || f.Unknown != tc.unknown || strings.Join(f.Keywords, " ") != tc.keywords) {
			t.Errorf("%q: %+v", tc.in, f)
		}
	}
}

func TestNestingIsBounded(t *testing.T) {
	deep := func(open, inner, end string, n int) error {
		_, err := read(strings.Repeat(open, n)+inner+strings.Repeat(end, n), (*Decoder).Search)
		return err
	}
	for _, tc := range []struct {
		open, inner, end string
		bound            int
	}{{"(", "ALL", ")", maxNesting}, {"NOT ", "ALL", "", maxChain}, {"OR ALL ", "ALL", "", maxChain}, {"OR ", "ALL", " ALL", maxChain}} {
		if err := deep(tc.open, tc.inner, tc.end, tc.bound); err != nil {
			t.Errorf("%d times %q: %v", tc.bound, tc.open, err)
		}
		if err := deep(tc.open, tc.inner, tc.end, tc.bound+1); err == nil {
			t.Errorf("%d times %q is taken", tc.bound+1, tc.open)
		}
	}
}

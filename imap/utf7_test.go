package imap

import (
	"testing"
	"unicode/utf8"
)

func TestUTF7(t *testing.T) {
	for wire, name := range map[string]string{
		"": "", "INBOX": "INBOX", "A&-B": "A&B", "&-": "&", "&-&-": "&&",
		"~peter/mail/&U,BTFw-/&ZeVnLIqe-": "~peter/mail/台北/日本語", // RFC 3501 5.1.3
		"Entw&APw-rfe":                    "Entwürfe", "&2D3eAA-": "😀", "&AOk-&-": "é&", "&-&AOk-": "&é", "&AH8-": "\x7f",
	} {
		if got, err := DecodeUTF7(wire); got != name || err != nil {
			t.Errorf("decoded %q: %q, %v", wire, got, err)
		}
		if got := EncodeUTF7(name); got != wire {
			t.Errorf("encoded %q: %q, want %q", name, got, wire)
		}
	}
	for _, bad := range []string{
		"&", "a&b", "&AOk", "&AO-", "&A-", "&AOl-", // open, or left-over bits
		"&AGE-", "Jetzt&ACY-", // printable ASCII in base64
		"&AOk-&AOk-",               // two shifts for one
		"&2D0-", "&3gA-", "&2D1h-", // lone surrogates
		"&AO\nk-", "&AO\r\nk-", "&AOk=-", "&AO/k-", "a\nb", "é", "\x7f", "\x00",
	} {
		if got, err := DecodeUTF7(bad); err == nil {
			t.Errorf("%q is taken for %q", bad, got)
		}
	}
	if got := EncodeUTF7("a\xffb"); got != "a&,,0-b" {
		t.Errorf("not UTF-8: %q", got)
	}
}

// FuzzUTF7: every name survives both ways, and every name has one spelling.
func FuzzUTF7(f *testing.F) {
	for _, s := range []string{"Entw&APw-rfe", "台北", "&-", "&AO\nk-", "😀&"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if utf8.ValidString(s) {
			if back, err := DecodeUTF7(EncodeUTF7(s)); back != s || err != nil {
				t.Errorf("%q came back as %q, %v", s, back, err)
			}
		}
		if name, err := DecodeUTF7(s); err == nil && EncodeUTF7(name) != s {
			t.Errorf("%q and %q are the same name", s, EncodeUTF7(name))
		}
	})
}

package maildir

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"postrider/mail"
	"postrider/vfs"
)

// Encoding is how the directories of an account spell characters beyond ASCII.
type Encoding uint8

const (
	UTF8         Encoding = iota // Courier 5 and newer
	ModifiedUTF7                 // Courier up to 4.18 (RFC 3501 5.1.3)
)

// Naming maps mailbox names to directory names.
//
// With Escapes a component may hold what the format cannot: each of . / ~ : \
// is written as a backslash and three octal digits, as Courier's maildirmake -F
// does ("a.b" is ".a\056b"). Without, characters stand for themselves, as in
// Courier's IMAP, and a component cannot hold a dot.
type Naming struct {
	Encoding Encoding
	Escapes  bool
}

const escaped = `./~:\`

// DirName returns the directory for a mailbox, "" for the INBOX.
func (n Naming) DirName(name mail.Name) (string, error) {
	if err := mail.CheckName(name); err != nil {
		return "", err
	}
	if name == mail.Inbox {
		return "", nil
	}
	var b strings.Builder
	for c := range strings.SplitSeq(string(name), mail.Separator) {
		if n.Encoding == ModifiedUTF7 {
			c = encodeUTF7(c)
		}
		if !n.Escapes && strings.Contains(c, ".") {
			return "", fmt.Errorf("%w: it has a dot", mail.ErrBadName)
		}
		b.WriteByte('.')
		for i := range len(c) {
			if n.Escapes && strings.IndexByte(escaped, c[i]) >= 0 {
				fmt.Fprintf(&b, `\%03o`, c[i])
			} else {
				b.WriteByte(c[i])
			}
		}
	}
	if b.Len() > maxFileName {
		return "", fmt.Errorf("%w: too long for a directory", mail.ErrBadName)
	}
	return b.String(), nil
}

// NameOfDir returns the mailbox for a directory's name; false if it is none's.
// What cannot be decoded is taken literally, so that every folder can be seen.
func (n Naming) NameOfDir(dir string) (mail.Name, bool) {
	rest, ok := strings.CutPrefix(dir, ".")
	if !ok || rest == "" {
		return "", false
	}
	parts := strings.Split(rest, ".")
	for i, c := range parts {
		if c == "" {
			return "", false
		}
		parts[i] = n.decode(c)
	}
	name := mail.Name(strings.Join(parts, mail.Separator))
	if name.IsInbox() || mail.CheckName(name) != nil {
		return "", false
	}
	return name, true
}

func (n Naming) decode(c string) string {
	out := c
	if n.Escapes {
		out = unescape(c)
	}
	if n.Encoding == ModifiedUTF7 {
		if u, err := decodeUTF7(out); err == nil {
			out = u
		}
	}
	if strings.Contains(out, mail.Separator) || !utf8.ValidString(out) {
		return c
	}
	return out
}

func unescape(c string) string {
	var b strings.Builder
	for i := 0; i < len(c); i++ {
		if c[i] == '\\' && i+4 <= len(c) {
			var v int
			if _, err := fmt.Sscanf(c[i+1:i+4], "%03o", &v); err == nil && v < 256 && strings.IndexByte(escaped, byte(v)) >= 0 {
				b.WriteByte(byte(v))
				i += 3
				continue
			}
		}
		b.WriteByte(c[i])
	}
	return b.String()
}

// DetectEncoding tells how the folders in root are spelled: ModifiedUTF7 if at
// least one name holds "&", every such name is exactly what modified UTF-7
// makes of some text with characters beyond ASCII in one, and no name holds a
// byte beyond ASCII; else UTF8. A Courier 5 tree that was never converted needs
// to be told.
func DetectEncoding(root vfs.Dir) (Encoding, error) {
	found, literal := false, false
	err := root.List(func(name string, t vfs.Type) bool {
		if name[0] != '.' || t == vfs.Regular {
			return true
		}
		for c := range strings.SplitSeq(name, ".") {
			u, err := decodeUTF7(c)
			switch {
			case err != nil || encodeUTF7(u) != c:
				literal = true
			case u != c && strings.ContainsFunc(u, func(r rune) bool { return r >= 0x80 }):
				found = true
			}
		}
		return !literal
	})
	if err == nil && found && !literal {
		return ModifiedUTF7, nil
	}
	return UTF8, err
}

var errUTF7 = errors.New("not modified UTF-7")

func base64UTF7() *base64.Encoding {
	return base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)
}

// encodeUTF7 is the encoding of RFC 3501 5.1.3.
func encodeUTF7(s string) string {
	var b strings.Builder
	var run []rune
	flush := func() {
		if len(run) > 0 {
			var raw []byte
			for _, u := range utf16.Encode(run) {
				raw = append(raw, byte(u>>8), byte(u))
			}
			b.WriteString("&" + base64UTF7().EncodeToString(raw) + "-")
			run = run[:0]
		}
	}
	for _, r := range s {
		if r < 0x20 || r > 0x7e {
			run = append(run, r)
			continue
		}
		flush()
		if b.WriteRune(r); r == '&' {
			b.WriteByte('-')
		}
	}
	flush()
	return b.String()
}

func decodeUTF7(s string) (string, error) {
	var b strings.Builder
	for s != "" {
		before, rest, shift := strings.Cut(s, "&")
		for i := range len(before) {
			if before[i] < 0x20 || before[i] > 0x7e {
				return "", errUTF7
			}
		}
		b.WriteString(before)
		if !shift {
			break
		}
		word, after, ok := strings.Cut(rest, "-")
		if !ok {
			return "", errUTF7
		}
		if s = after; word == "" {
			b.WriteByte('&')
			continue
		}
		raw, err := base64UTF7().DecodeString(word)
		if err != nil || len(raw)%2 != 0 {
			return "", errUTF7
		}
		units := make([]uint16, len(raw)/2)
		for i := range units {
			units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
		}
		b.WriteString(string(utf16.Decode(units)))
	}
	return b.String(), nil
}

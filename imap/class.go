package imap

// class is a set of the character classes of RFC 3501 section 9 that a byte is in.
type class uint8

const (
	isAtom    class = 1 << iota // ATOM-CHAR
	isAstring                   // ASTRING-CHAR = ATOM-CHAR / resp-specials
	isList                      // list-char = ATOM-CHAR / list-wildcards / resp-specials
	isTag                       // any ASTRING-CHAR except "+"
	isQuoted                    // may stand in a quoted string as it is or after "\"
	isText                      // TEXT-CHAR = any CHAR except CR and LF
	isBase64                    // of modified UTF-7: ALPHA / DIGIT / "+" / ","
	isDigit
)

// classes is spelled by the grammar:
//
//	ATOM-CHAR       = <any CHAR except atom-specials>
//	atom-specials   = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials
//	list-wildcards  = "%" / "*"
//	quoted-specials = DQUOTE / "\"
//	resp-specials   = "]"
//	CHAR            = %x01-7F
//
// Bytes above 7F are in isQuoted only: quoted strings may hold UTF-8 (RFC 6855),
// and clients send 8-bit text there whatever was agreed.
var classes = func() (t [256]class) {
	for i := range t {
		c := byte(i)
		ctl := c < 0x20 || c == 0x7f
		if c >= 0x80 {
			t[i] = isQuoted
			continue
		}
		if c != 0 && c != '\r' && c != '\n' {
			t[i] |= isQuoted | isText
		}
		special := ctl
		switch c {
		case '(', ')', '{', ' ', '%', '*', '"', '\\', ']':
			special = true
		}
		if !special {
			t[i] |= isAtom | isAstring | isList | isTag
		}
		switch c {
		case ']':
			t[i] |= isAstring | isList | isTag
		case '%', '*':
			t[i] |= isList
		case '+':
			t[i] &^= isTag
		}
		if c >= '0' && c <= '9' {
			t[i] |= isDigit
		}
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '+' || c == ',' {
			t[i] |= isBase64
		}
	}
	return t
}()

func is(c byte, k class) bool { return classes[c]&k != 0 }

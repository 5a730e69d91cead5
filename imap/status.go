package imap

// StatusKind is the first word of a status response (RFC 3501 7.1).
type StatusKind string

// The kinds.
const (
	KindOK      StatusKind = "OK"
	KindNo      StatusKind = "NO"
	KindBad     StatusKind = "BAD"
	KindBye     StatusKind = "BYE"
	KindPreauth StatusKind = "PREAUTH"
)

// Status is a status response as an error value: what a client is told of how a
// command ended.
type Status struct {
	Kind StatusKind
	Code Code   // what stands between brackets, "" for none
	Text string // for people; one line
}

func (s *Status) Error() string { return string(s.AppendText(nil)) }

// AppendText appends the response without a tag and a line end. A text that would
// break the line or be empty is made harmless.
func (s *Status) AppendText(dst []byte) []byte {
	dst = append(dst, s.Kind...)
	dst = append(dst, ' ')
	if s.Code != "" {
		dst = append(dst, '[')
		dst = appendLine(dst, string(s.Code))
		dst = append(dst, "] "...)
	}
	if s.Text == "" {
		return append(dst, "Ok."...)
	}
	if s.Code == "" && s.Text[0] == '[' {
		dst = append(dst, "- "...) // else it would be taken for a code
	}
	return appendLine(dst, s.Text)
}

// appendLine appends s with every byte that is no TEXT-CHAR as a blank; 8-bit text
// stays.
func appendLine(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c >= 0x20 && c != 0x7f {
			dst = append(dst, c)
		} else {
			dst = append(dst, ' ')
		}
	}
	return dst
}

// OK is a successful status.
func OK(code Code, text string) *Status { return &Status{KindOK, code, text} }

// No is the status of a command that failed.
func No(code Code, text string) *Status { return &Status{KindNo, code, text} }

// Bad is the status of a command that was wrong.
func Bad(text string) *Status { return &Status{KindBad, "", text} }

// Bye ends the connection.
func Bye(code Code, text string) *Status { return &Status{KindBye, code, text} }

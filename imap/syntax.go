package imap

import "fmt"

// SyntaxError is the one kind of error of this package's parsing: at an offset of
// the frame something else was expected. It is safe to show to a client.
type SyntaxError struct {
	Offset   int    // in bytes from the frame's start
	Expected string // such as "a number" or "a blank"
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s expected at octet %d", e.Expected, e.Offset+1)
}

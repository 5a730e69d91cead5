package wire

import (
	"bytes"
	"io"
)

// maxTranscript bounds a transcript, in octets of the conversation.
const maxTranscript = 64 << 20

// Transcript writes down what a connection reads and writes: a line for each line,
// with "C: " before what the client said and "S: " before what the server did. It ends
// at the first error and after 64 MiB. It belongs to the connection's goroutine.
type Transcript struct {
	w    io.Writer
	left int
	who  string // said something last, and did not end the line
}

// NewTranscript returns one that writes to w.
func NewTranscript(w io.Writer) *Transcript { return &Transcript{w: w, left: maxTranscript} }

// SetTranscript has a connection written down from now on: call it after the login, so
// that no password is.
func (c *Conn) SetTranscript(t *Transcript) { c.transcript = t }

// add writes down what was said. A nil transcript does nothing.
func (t *Transcript) add(who string, text []byte) {
	if t == nil || t.left == 0 || len(text) == 0 {
		return
	}
	text = text[:min(len(text), t.left)]
	t.left -= len(text)
	var out bytes.Buffer
	if t.who != "" && t.who != who {
		out.WriteByte('\n')
		t.who = ""
	}
	for line := range bytes.Lines(text) {
		if t.who == "" {
			out.WriteString(who)
		}
		out.Write(line)
		t.who = who
		if line[len(line)-1] == '\n' {
			t.who = ""
		}
	}
	if _, err := t.w.Write(out.Bytes()); err != nil {
		t.left = 0
	}
}

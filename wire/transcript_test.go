package wire

import (
	"errors"
	"strings"
	"testing"
)

func TestTranscript(t *testing.T) {
	var b strings.Builder
	tr := NewTranscript(&b)
	for _, said := range [][2]string{{"C: ", "a NOOP\r\nb LO"}, {"S: ", "a OK\r\n"}, {"C: ", "GOUT\r\n"}, {"S: ", "* BYE\r\nb OK\r\n"}} {
		tr.add(said[0], []byte(said[1]))
	}
	if got, want := b.String(), "C: a NOOP\r\nC: b LO\nS: a OK\r\nC: GOUT\r\nS: * BYE\r\nS: b OK\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	tr.left = 2
	tr.add("C: ", []byte("xyz"))
	tr.add("C: ", []byte("xyz"))
	if !strings.HasSuffix(b.String(), "C: xy") {
		t.Errorf("it goes on: %q", b.String())
	}
	var none *Transcript
	none.add("C: ", []byte("x"))
	broken := NewTranscript(failing{})
	broken.add("C: ", []byte("x"))
	if broken.left != 0 {
		t.Error("it goes on after an error")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no space") }

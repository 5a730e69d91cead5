package packet

import (
	"encoding/binary"
	"errors"
)

// ErrMalformed says that a message does not have the form that it should.
var ErrMalformed = errors.New("malformed message")

// AppendUint64 appends a number.
func AppendUint64(b []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(b, n) }

// AppendUint32 appends a number.
func AppendUint32(b []byte, n uint32) []byte { return binary.BigEndian.AppendUint32(b, n) }

// AppendBool appends a truth value.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendText appends octets with their number before them.
func AppendText[T string | []byte](b []byte, text T) []byte {
	return append(AppendUint32(b, uint32(len(text))), text...)
}

// Fields takes a message apart. The first field that is not there, or beyond its
// bound, makes all later ones zero and Err an error.
type Fields struct {
	left   []byte
	failed bool
}

// NewFields returns the fields of a message, of which it borrows.
func NewFields(m []byte) *Fields { return &Fields{left: m} }

// take is the next n octets, nil if they are not there.
func (f *Fields) take(n int) []byte {
	if f.failed || n < 0 || n > len(f.left) {
		f.failed = true
		return nil
	}
	taken := f.left[:n]
	f.left = f.left[n:]
	return taken
}

// Octet is the next octet.
func (f *Fields) Octet() byte {
	if b := f.take(1); b != nil {
		return b[0]
	}
	return 0
}

// Bool is the next truth value: 0 or 1.
func (f *Fields) Bool() bool {
	b := f.Octet()
	f.failed = f.failed || b > 1
	return b == 1
}

// Uint32 is the next number.
func (f *Fields) Uint32() uint32 {
	if b := f.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Uint64 is the next number.
func (f *Fields) Uint64() uint64 {
	if b := f.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Bytes is the next text of at most max octets, borrowed from the message.
func (f *Fields) Bytes(max int) []byte {
	n := f.Uint32()
	if f.failed || uint64(n) > uint64(max) {
		f.failed = true
		return nil
	}
	return f.take(int(n))
}

// Text is the next text of at most max octets.
func (f *Fields) Text(max int) string { return string(f.Bytes(max)) }

// Fixed copies the next octets into p, with nothing before them that tells how many.
func (f *Fields) Fixed(p []byte) {
	if b := f.take(len(p)); b != nil {
		copy(p, b)
	}
}

// Err is ErrMalformed if a field was not there, or if there is more than was asked for.
func (f *Fields) Err() error {
	if f.failed || len(f.left) > 0 {
		return ErrMalformed
	}
	return nil
}

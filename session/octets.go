package session

import (
	"bytes"
	"io"
)

// withoutNUL reads octets for a literal, which cannot hold NUL (RFC 3501 9, CHAR8):
// 0x80 stands for it, so that every count stays true.
type withoutNUL struct{ r io.Reader }

func (w withoutNUL) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	replaceNUL(p[:n])
	return n, err
}

func replaceNUL(b []byte) {
	for i := bytes.IndexByte(b, 0); i >= 0; {
		b[i] = 0x80
		next := bytes.IndexByte(b[i:], 0)
		if next < 0 {
			return
		}
		i += next
	}
}

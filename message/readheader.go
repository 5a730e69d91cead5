package message

import (
	"bytes"
	"io"
)

// ReadHeader reads a header, its blank line included. Of one that is longer than 1 MiB,
// as a file without a blank line may be in all of its length, it reads the lines that
// begin it, as Parse does, and ends them with a blank line: nobody's header is that long,
// and whoever asks holds it in memory.
func ReadHeader(r io.ReaderAt, s Span) ([]byte, error) {
	b := make([]byte, min(s.Len(), maxHeader))
	n, err := r.ReadAt(b, s.Start)
	if n < len(b) {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if s.Len() <= maxHeader {
		return b, nil
	}
	b = b[:bytes.LastIndexByte(b[:len(b)-2], '\n')+1]
	return append(b, "\r\n"...), nil
}

package maildir

import (
	"bytes"
	"io"
	"testing"

	"postrider/vfs"
)

// countedFile counts the octets that are read of a file in memory.
type countedFile struct {
	vfs.File
	text []byte
	read int
}

func (f *countedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := bytes.NewReader(f.text).ReadAt(p, off)
	f.read += n
	return n, err
}

// A message of many parts is read in many small pieces, one after the other: its file
// must not be read over and over.
func TestSmallReadingsOfALargeMessage(t *testing.T) {
	file := &countedFile{text: bytes.Repeat([]byte("0123456\n"), 100_000)}
	text := &longText{file: file, stored: int64(len(file.text)), marks: []int64{0}}
	want := bytes.Repeat([]byte("0123456\r\n"), 100_000)
	const piece = 50
	got := make([]byte, piece)
	for at := 0; at < len(want); at += piece {
		n, err := text.ReadAt(got, int64(at))
		if err != nil && err != io.EOF || !bytes.Equal(got[:n], want[at:min(at+piece, len(want))]) {
			t.Fatalf("at %d: %q, %v", at, got[:n], err)
		}
	}
	if file.read > 3*len(file.text) {
		t.Errorf("read %d octets of a file of %d", file.read, len(file.text))
	}
}

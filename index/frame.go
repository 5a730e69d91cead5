package index

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// A frame is a length, a CRC-32C and a payload: the unit in which the journal, the
// cache and the account file grow. It is there whole or not at all.
//
//	offset width
//	0      4     length of the payload, little endian
//	4      4     CRC-32C of the payload
//	8      n     payload
const frameHead = 8

// maxFrame bounds a payload, so that a damaged length allocates little.
const maxFrame = 64 << 20

func castagnoli(b []byte) uint32 { return crc32.Checksum(b, castagnoliTable) }

var castagnoliTable = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends a frame of what fill appends.
func appendFrame(dst []byte, fill func([]byte) []byte) []byte {
	at := len(dst)
	dst = fill(append(dst, make([]byte, frameHead)...))
	payload := dst[at+frameHead:]
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(dst[at+4:], castagnoli(payload))
	return dst
}

// frameReader reads frames one after the other from a file, in blocks.
type frameReader struct {
	r    io.ReaderAt
	pos  int64 // of the next frame
	end  int64 // of the file
	buf  []byte
	from int64 // of buf in the file
}

// next returns the next payload, which is never empty (zeros are what a power cut
// leaves of a file that had grown), valid until the next call. At the end, and where
// no whole frame follows, it returns io.EOF; torn says which.
func (f *frameReader) next() (payload []byte, torn bool, err error) {
	if f.pos == f.end {
		return nil, false, io.EOF
	}
	head, err := f.read(f.pos, frameHead)
	if err != nil {
		return nil, true, err
	}
	n := int64(binary.LittleEndian.Uint32(head))
	sum := binary.LittleEndian.Uint32(head[4:])
	if n == 0 || n > maxFrame || n > f.end-f.pos-frameHead {
		return nil, true, io.EOF
	}
	payload, err = f.read(f.pos+frameHead, int(n))
	if err != nil {
		return nil, true, err
	}
	if castagnoli(payload) != sum {
		return nil, true, io.EOF
	}
	f.pos += frameHead + n
	return payload, false, nil
}

const frameBlock = 256 << 10

// read returns n bytes at off; io.EOF if the file does not have them.
func (f *frameReader) read(off int64, n int) ([]byte, error) {
	if off < f.from || off+int64(n) > f.from+int64(len(f.buf)) {
		want := int(min(int64(max(n, frameBlock)), f.end-off))
		if want < n {
			return nil, io.EOF
		}
		if cap(f.buf) < want {
			f.buf = make([]byte, want)
		}
		f.buf, f.from = f.buf[:want], off
		got, err := f.r.ReadAt(f.buf, off)
		f.buf = f.buf[:got]
		if got < n {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.EOF
			}
			return nil, err
		}
	}
	return f.buf[off-f.from:][:n], nil
}

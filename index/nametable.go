package index

import (
	"encoding/binary"
	"slices"

	"postrider/mail"
)

// The snapshot file's table of base names: the sorted pairs (hash, UID) of all
// messages, 8 bytes each, in blocks with a check of their own, so that a look-up
// reads a block or two and never trusts a damaged one.
const (
	tableBlock  = 4096
	tableWidth  = 8
	tableFanout = (tableBlock - tableWidth) / tableWidth // entries in a block; the check lies behind them
)

func tableBlocks(count int) int { return (count + tableFanout - 1) / tableFanout }

// table is the table as it goes into the file.
func (w *SnapshotWriter) table() []byte {
	slices.Sort(w.hashes)
	out := make([]byte, tableBlocks(len(w.hashes))*tableBlock)
	le := binary.LittleEndian
	at := 0
	for part := range slices.Chunk(w.hashes, tableFanout) {
		b := out[at : at+tableBlock]
		for i, h := range part {
			le.PutUint64(b[i*tableWidth:], h)
		}
		le.PutUint32(b[tableFanout*tableWidth:], castagnoli(b[:tableFanout*tableWidth]))
		at += tableBlock
	}
	return out
}

// baseHash is FNV-1a of 32 bits.
func baseHash(base string) uint32 { return hashOf(base) }

func hashOf[S string | []byte](base S) uint32 {
	h := uint32(2166136261)
	for i := range len(base) {
		h = (h ^ uint32(base[i])) * 16777619
	}
	return h
}

// Lookup returns the UIDs of the messages whose base name may be this one: those
// whose names have its hash.
func (s *Snapshot) Lookup(base string) ([]mail.UID, error) {
	want := uint64(baseHash(base)) << 32
	le := binary.LittleEndian
	blocks := tableBlocks(s.count)
	buf := make([]byte, tableBlock)
	// The first block whose last entry is not below want. Hashes are spread
	// evenly, so the first guess is good.
	lo, hi := 0, blocks
	for guess := int(want >> 32 * uint64(blocks) >> 32); lo < hi; guess = int(uint(lo+hi) >> 1) {
		n, err := s.tableBlock(guess, buf)
		if err != nil {
			return nil, err
		}
		switch {
		case le.Uint64(buf[(n-1)*tableWidth:]) < want:
			lo = guess + 1
		case le.Uint64(buf) >= want:
			hi = guess
		default: // it begins in here
			lo, hi = guess, guess
		}
	}
	var uids []mail.UID
	for ; lo < blocks; lo++ {
		n, err := s.tableBlock(lo, buf)
		if err != nil {
			return nil, err
		}
		for i := range n {
			h := le.Uint64(buf[i*tableWidth:])
			if h>>32 > want>>32 {
				return uids, nil
			}
			if h>>32 == want>>32 {
				uids = append(uids, mail.UID(h))
			}
		}
	}
	return uids, nil
}

// tableBlock reads a block and returns how many entries it has.
func (s *Snapshot) tableBlock(i int, buf []byte) (int, error) {
	off := s.hashes + int64(i)*tableBlock
	if _, err := s.file.ReadAt(buf, off); err != nil {
		return 0, damaged(snapshotName, off, "a table of names that is cut off", err)
	}
	if binary.LittleEndian.Uint32(buf[tableFanout*tableWidth:]) != castagnoli(buf[:tableFanout*tableWidth]) {
		return 0, &FormatError{snapshotName, off, "a table of names that does not pass its check", ErrDamaged}
	}
	return min(tableFanout, s.count-i*tableFanout), nil
}

package mail

import (
	"iter"
	"slices"
	"strconv"
)

// UID is a message's unique identifier within one UIDVALIDITY of a mailbox
// (RFC 3501 2.3.1.1). Zero is never a message.
type UID uint32

// SeqNum is a message sequence number, counted from 1 in one session's view
// (RFC 3501 2.3.1.2). Zero is never a message.
type SeqNum uint32

// UIDValidity is the unique identifier validity value of a mailbox. Zero is
// never valid on the wire (nz-number).
type UIDValidity uint32

// ModSeq is a mod-sequence value (RFC 7162 3.1.1), at most 63 bits wide. Zero
// stands for "before the first change".
type ModSeq uint64

// Number is what a Set can hold.
type Number interface{ UID | SeqNum }

// Star is the number that stands for "*" in a Range: the largest in use.
const Star = 0

// Range is First:Last as a client sent it, in either order; a side that is
// Star means the largest number in use.
type Range[N Number] struct{ First, Last N }

// Set is a sequence-set of RFC 3501: ranges in the order in which they came.
// Methods that need to know what "*" means take it as an argument.
type Set[N Number] []Range[N]

// SeqSet is a set of sequence numbers.
type SeqSet = Set[SeqNum]

// UIDSet is a set of UIDs.
type UIDSet = Set[UID]

// SetOf returns the set of the given numbers; neighbours are joined if they
// come in ascending order.
func SetOf[N Number](numbers ...N) Set[N] {
	var s Set[N]
	for _, n := range numbers {
		s.Add(n)
	}
	return s
}

// Add puts n at the end of the set, joining it to the last range where n is
// that range's successor.
func (s *Set[N]) Add(n N) {
	if i := len(*s) - 1; i >= 0 {
		if r := &(*s)[i]; r.First != Star && r.Last != Star && r.First <= r.Last && r.Last+1 == n {
			r.Last = n
			return
		}
	}
	*s = append(*s, Range[N]{n, n})
}

// Resolve returns the set with every "*" replaced by star, every range in
// ascending order, ranges sorted, overlapping and adjacent ones joined. With
// star 0 (an empty mailbox) a side that is "*" drops its range. RFC 3501
// section 9, seq-range: "9:*" always holds the largest number, even if that is
// below 9.
func (s Set[N]) Resolve(star N) Set[N] {
	out := make(Set[N], 0, len(s))
	for _, r := range s {
		if r.First == Star {
			r.First = star
		}
		if r.Last == Star {
			r.Last = star
		}
		if r.First == 0 || r.Last == 0 {
			continue
		}
		out = append(out, Range[N]{min(r.First, r.Last), max(r.First, r.Last)})
	}
	slices.SortFunc(out, func(a, b Range[N]) int {
		if a.First < b.First {
			return -1
		}
		if a.First > b.First {
			return 1
		}
		return 0
	})
	joined := out[:0]
	for _, r := range out {
		if k := len(joined) - 1; k >= 0 && (r.First <= joined[k].Last || r.First == joined[k].Last+1) {
			joined[k].Last = max(joined[k].Last, r.Last)
			continue
		}
		joined = append(joined, r)
	}
	return joined
}

// Contains reports whether n is in the set when "*" means star.
func (s Set[N]) Contains(n, star N) bool {
	for _, r := range s {
		first, last := r.First, r.Last
		if first == Star {
			first = star
		}
		if last == Star {
			last = star
		}
		if first == 0 || last == 0 {
			continue
		}
		if min(first, last) <= n && n <= max(first, last) {
			return true
		}
	}
	return false
}

// All yields each number of a resolved set in ascending order. A set with
// "*" in it must be resolved first.
func (s Set[N]) All() iter.Seq[N] {
	return func(yield func(N) bool) {
		for _, r := range s {
			for n := r.First; ; n++ {
				if !yield(n) {
					return
				}
				if n >= r.Last {
					break
				}
			}
		}
	}
}

// Len is how many numbers a resolved set holds.
func (s Set[N]) Len() int {
	n := 0
	for _, r := range s {
		n += int(r.Last-r.First) + 1
	}
	return n
}

// AppendText appends the set in the syntax of RFC 3501 (sequence-set) to dst.
func (s Set[N]) AppendText(dst []byte) []byte {
	for i, r := range s {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendNumber(dst, uint32(r.First))
		if r.Last != r.First {
			dst = append(dst, ':')
			dst = appendNumber(dst, uint32(r.Last))
		}
	}
	return dst
}

// String is the set in the syntax of RFC 3501.
func (s Set[N]) String() string { return string(s.AppendText(nil)) }

func appendNumber(dst []byte, n uint32) []byte {
	if n == Star {
		return append(dst, '*')
	}
	return strconv.AppendUint(dst, uint64(n), 10)
}

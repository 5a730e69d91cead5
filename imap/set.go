package imap

import "postrider/mail"

// maxRanges bounds the ranges of one sequence set.
const maxRanges = 1 << 20

// SeqSet reads a set of sequence numbers.
func (d *Decoder) SeqSet() mail.SeqSet { return set[mail.SeqNum](d) }

// UIDSet reads a set of UIDs.
func (d *Decoder) UIDSet() mail.UIDSet { return set[mail.UID](d) }

// SetNext reports whether a sequence set is next.
func (d *Decoder) SetNext() bool { c := d.Peek(); return c == '*' || is(c, isDigit) }

// set reads a sequence set.
//
//	sequence-set = (seq-number / seq-range) *("," sequence-set)
//	seq-range    = seq-number ":" seq-number
//	seq-number   = nz-number / "*"
func set[N mail.Number](d *Decoder) mail.Set[N] {
	var s mail.Set[N]
	for d.err == nil {
		r := mail.Range[N]{First: setNumber[N](d)}
		r.Last = r.First
		if d.Try(':') {
			r.Last = setNumber[N](d)
		}
		if s = append(s, r); len(s) > maxRanges {
			d.Fail("a shorter set of numbers")
		}
		if !d.Try(',') {
			break
		}
	}
	if d.err != nil {
		return nil
	}
	return s
}

func setNumber[N mail.Number](d *Decoder) N {
	if d.Try('*') {
		return mail.Star
	}
	return N(d.NZNumber())
}

package search

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"postrider/mail"
	"postrider/message"
)

// keys are what a message is ordered by, as far as it is asked for.
type keys struct {
	gone    bool // it could not be read: nothing of it is remembered
	arrival time.Time
	size    int64
	sent    int64 // in seconds since 1970
	texts   [textKeys][]byte
	link
	refs []uint64
}

// Sort returns hits in the order of the criteria (RFC 5256 3), messages that are
// equal in all of them by their sequence numbers.
func Sort(ctx context.Context, criteria []mail.SortCriterion, src Source, hits []int, o Options) ([]int, error) {
	ks, err := o.keysOf(ctx, src, hits, needed(criteria))
	if err != nil {
		return nil, err
	}
	if err := loadFacts(ctx, criteria, src, hits, ks, o); err != nil {
		return nil, err
	}
	order := make([]ranked, len(hits))
	for k, i := range hits {
		order[k] = ranked{ks[k].number(criteria), i, &ks[k]}
	}
	slices.SortFunc(order, func(a, b ranked) int {
		if a.first != b.first {
			return cmp.Compare(a.first, b.first)
		}
		for _, c := range criteria {
			d := a.keys.compare(b.keys, c.Key)
			if c.Reverse {
				d = -d
			}
			if d != 0 {
				return d
			}
		}
		return a.i - b.i
	})
	out := make([]int, len(order))
	for k := range order {
		out[k] = order[k].i
	}
	return out, nil
}

// ranked is a hit that is being sorted.
type ranked struct {
	first int64 // the first key, where that is a number: most comparisons look no further
	i     int
	keys  *keys
}

// number is the first key, ascending in the order that is asked for; 0 if it is a text.
func (k *keys) number(criteria []mail.SortCriterion) (n int64) {
	if len(criteria) == 0 {
		return 0
	}
	switch criteria[0].Key {
	case mail.SortDate:
		n = k.sent
	case mail.SortSize:
		n = k.size
	case mail.SortArrival:
		n = k.arrival.Unix()
	}
	if criteria[0].Reverse {
		return -n
	}
	return n
}

// textOf is the text key that a criterion stands for.
func textOf(key mail.SortKey) (t int, ok bool) {
	switch key {
	case mail.SortSubject:
		return subjectKey, true
	case mail.SortFrom:
		return fromKey, true
	case mail.SortTo:
		return toKey, true
	case mail.SortCc:
		return ccKey, true
	}
	return 0, false
}

// textFields are the header fields of the text keys.
var textFields = [textKeys]string{subjectKey: "Subject", fromKey: "From", toKey: "To", ccKey: "Cc"}

// needed is what criteria ask of header fields.
func needed(criteria []mail.SortCriterion) (need parts) {
	for _, c := range criteria {
		if c.Key == mail.SortDate {
			need |= haveSent
		}
		if t, ok := textOf(c.Key); ok {
			need |= haveText << t
		}
	}
	return need
}

// keysOf returns what is needed of hits: from the memory, or from header fields.
func (o *Options) keysOf(ctx context.Context, src Source, hits []int, need parts) ([]keys, error) {
	ks := make([]keys, len(hits))
	if need == 0 {
		return ks, nil
	}
	m := o.Memory
	if m == nil {
		m = NewMemory()
	}
	unknown := m.recall(src, hits, ks, need)
	fields := fieldsOf(need)
	err := spread(ctx, o.Workers, unknown, func(k int) error {
		return ks[k].load(&eval{ctx: ctx, src: src, opt: *o}, hits[k], need, fields, m)
	})
	if err != nil {
		return nil, err
	}
	if o.Memory != nil && len(unknown) > 0 {
		m.remember(src, hits, ks, unknown, need)
	}
	return ks, nil
}

// fieldsOf names the header fields in which something lies.
func fieldsOf(need parts) (names []string) {
	if need&haveSent != 0 {
		names = append(names, "Date")
	}
	if need&haveLinks != 0 {
		names = append(names, "Message-ID", "In-Reply-To", "References")
	}
	for t, field := range textFields {
		if need&(haveText<<t) != 0 || t == subjectKey && need&haveLinks != 0 {
			names = append(names, field)
		}
	}
	return names
}

// load reads the header fields of the message at index i.
func (k *keys) load(e *eval, i int, need parts, fields []string, m *Memory) error {
	h, err := e.src.Header(e.ctx, i, fields)
	if err != nil && !errors.Is(err, ErrGone) {
		return err
	}
	k.gone = err != nil
	if need&haveSent != 0 {
		sent, err := e.sentFrom(i, h)
		if err != nil && !errors.Is(err, ErrGone) {
			return err
		}
		k.gone = k.gone || err != nil
		k.sent = sent.Unix()
	}
	if need&haveLinks != 0 {
		k.setLink(h, m)
	}
	for t, field := range textFields {
		switch {
		case need&(haveText<<t) == 0:
		case t == subjectKey:
			k.texts[t], _ = subjectOf(h)
		default:
			k.texts[t] = firstMailbox(h, field)
		}
	}
	return nil
}

// loadFacts finds out what no header field says.
func loadFacts(ctx context.Context, criteria []mail.SortCriterion, src Source, hits []int, ks []keys, o Options) error {
	for _, c := range criteria {
		var load func(k int) error
		switch c.Key {
		case mail.SortArrival:
			load = func(k int) (err error) { ks[k].arrival, err = src.Internal(ctx, hits[k]); return err }
		case mail.SortSize:
			load = func(k int) (err error) { ks[k].size, err = src.Size(ctx, hits[k]); return err }
		default:
			continue
		}
		places := make([]int, len(hits))
		for k := range places {
			places[k] = k
		}
		err := spread(ctx, o.Workers, places, func(k int) error {
			if err := load(k); !errors.Is(err, ErrGone) {
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sentFrom is the sent date of a header that is at hand (RFC 5256 2.2).
func (e *eval) sentFrom(i int, h []byte) (time.Time, error) {
	if t, ok := message.ParseDate(message.Value(h, "Date")); ok {
		return t, nil
	}
	return e.src.Internal(e.ctx, i)
}

// subjectOf is the collated base subject.
func subjectOf(h []byte) (key []byte, isReply bool) {
	base, isReply := message.BaseSubject(message.DecodeHeader(message.Value(h, "Subject")))
	return collationKey(base), isReply
}

// firstMailbox is the collated local part of the first address of a field: the key
// of CC, FROM and TO (RFC 5256 3).
func firstMailbox(h []byte, field string) []byte {
	for f := range message.Fields(h) {
		if !equalNames(f.Name, field) {
			continue
		}
		for _, a := range message.ParseAddresses(f.Value) {
			return collationKey(a.Mailbox)
		}
	}
	return nil
}

func equalNames(a []byte, b string) bool { return bytes.EqualFold(a, []byte(b)) }

func (k *keys) compare(l *keys, key mail.SortKey) int {
	switch key {
	case mail.SortArrival:
		return k.arrival.Compare(l.arrival)
	case mail.SortDate:
		return cmp.Compare(k.sent, l.sent)
	case mail.SortSize:
		return cmp.Compare(k.size, l.size)
	}
	if t, ok := textOf(key); ok {
		return bytes.Compare(k.texts[t], l.texts[t])
	}
	return 0
}

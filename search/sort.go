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

// keys are what messages are ordered by.
type keys struct {
	arrival time.Time
	sent    time.Time
	size    int64
	subject []byte
	isReply bool
	cc, to  []byte
	from    []byte
}

// Sort returns hits in the order of the criteria (RFC 5256 3), messages that are
// equal in all of them by their sequence numbers.
func Sort(ctx context.Context, criteria []mail.SortCriterion, src Source, hits []int, o Options) ([]int, error) {
	ks := make(map[int]*keys, len(hits))
	all := make([]keys, len(hits))
	for k, i := range hits {
		ks[i] = &all[k]
	}
	need := neededFields(criteria)
	err := spread(ctx, o.Workers, hits, func(i int) error {
		return ks[i].load(&eval{ctx: ctx, src: src, opt: o}, i, criteria, need)
	})
	if err != nil {
		return nil, err
	}
	out := slices.Clone(hits)
	slices.SortFunc(out, func(a, b int) int {
		for _, c := range criteria {
			d := ks[a].compare(ks[b], c.Key)
			if c.Reverse {
				d = -d
			}
			if d != 0 {
				return d
			}
		}
		return a - b
	})
	return out, nil
}

var sortFields = map[mail.SortKey]string{
	mail.SortCc: "Cc", mail.SortDate: "Date", mail.SortFrom: "From", mail.SortSubject: "Subject", mail.SortTo: "To",
}

func neededFields(criteria []mail.SortCriterion) []string {
	var names []string
	for _, c := range criteria {
		if f := sortFields[c.Key]; f != "" && !slices.Contains(names, f) {
			names = append(names, f)
		}
	}
	return names
}

func (k *keys) load(e *eval, i int, criteria []mail.SortCriterion, need []string) error {
	var h []byte
	var err error
	if len(need) > 0 {
		if h, err = e.src.Header(e.ctx, i, need); err != nil && !errors.Is(err, ErrGone) {
			return err
		}
	}
	for _, c := range criteria {
		switch c.Key {
		case mail.SortArrival:
			k.arrival, err = e.src.Internal(e.ctx, i)
		case mail.SortDate:
			k.sent, err = e.sentFrom(i, h)
		case mail.SortSize:
			k.size, err = e.src.Size(e.ctx, i)
		case mail.SortSubject:
			k.setSubject(h)
		case mail.SortCc:
			k.cc = firstMailbox(h, "Cc")
		case mail.SortFrom:
			k.from = firstMailbox(h, "From")
		case mail.SortTo:
			k.to = firstMailbox(h, "To")
		}
		if err != nil && !errors.Is(err, ErrGone) {
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

func (k *keys) setSubject(h []byte) {
	base, isReply := message.BaseSubject(message.DecodeHeader(message.Value(h, "Subject")))
	k.subject, k.isReply = collationKey(base), isReply
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
		return k.sent.Compare(l.sent)
	case mail.SortSize:
		return cmp.Compare(k.size, l.size)
	case mail.SortSubject:
		return bytes.Compare(k.subject, l.subject)
	case mail.SortCc:
		return bytes.Compare(k.cc, l.cc)
	case mail.SortFrom:
		return bytes.Compare(k.from, l.from)
	case mail.SortTo:
		return bytes.Compare(k.to, l.to)
	}
	return 0
}

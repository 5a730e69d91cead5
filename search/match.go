package search

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"postrider/mail"
	"postrider/message"
)

// verdict is what is known of a message.
type verdict uint8

const (
	no verdict = iota
	yes
	unknown // it takes I/O to know
)

func verdictOf(b bool) verdict {
	if b {
		return yes
	}
	return no
}

// cost is what it takes to evaluate a node. The order is the order of evaluation.
type cost uint8

const (
	free   cost = iota // in memory
	lookup             // one fact of the message, perhaps from its file
	header             // header fields, perhaps from the cache
	open               // the whole message
)

// node is a compiled query.
type node interface {
	cost() cost
	// eval evaluates for one message; at cost free it does no I/O.
	eval(e *eval, i int, limit cost) (verdict, error)
}

// eval is an evaluation at work, for one goroutine.
type eval struct {
	ctx  context.Context
	src  Source
	opt  Options
	keys []*inText // all of the query
	open *opened   // the message that is open now
}

// Match returns the indexes, ascending, of the messages that match. Texts in q are
// UTF-8.
func Match(ctx context.Context, q mail.Query, src Source, o Options) ([]int, error) {
	root, err := compile(q, src, 0)
	if err != nil {
		return nil, err
	}
	n := src.Len()
	verdicts := make([]verdict, n)
	var hard []int
	keys := wholeKeys(root, nil)
	e := &eval{ctx: ctx, src: src, opt: o}
	for i := range n {
		if verdicts[i], err = root.eval(e, i, free); err != nil {
			return nil, err
		}
		if verdicts[i] == unknown {
			hard = append(hard, i)
		}
	}
	err = spread(ctx, o.Workers, hard, func(i int) error {
		e := &eval{ctx: ctx, src: src, opt: o, keys: keys}
		defer e.close()
		v, err := root.eval(e, i, open)
		if errors.Is(err, ErrGone) {
			v, err = no, nil
		}
		verdicts[i] = v
		return err
	})
	if err != nil {
		return nil, err
	}
	hits := []int{}
	for i, v := range verdicts {
		if v == yes {
			hits = append(hits, i)
		}
	}
	return hits, nil
}

// maxDepth is above what a parser lets through: long chains of OR are what clients
// make of a list.
const maxDepth = 2000

func compile(q mail.Query, src Source, depth int) (node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("a query nested deeper than %d", maxDepth)
	}
	switch q := q.(type) {
	case mail.And:
		return compileAnd(q, src, depth)
	case mail.Or:
		a, err := compile(q.A, src, depth+1)
		if err != nil {
			return nil, err
		}
		b, err := compile(q.B, src, depth+1)
		if err != nil {
			return nil, err
		}
		if b.cost() < a.cost() {
			a, b = b, a
		}
		return or{a, b}, nil
	case mail.Not:
		a, err := compile(q.Query, src, depth+1)
		return not{a}, err
	}
	return compileLeaf(q, src)
}

func compileAnd(q mail.And, src Source, depth int) (node, error) {
	parts := make(and, 0, len(q))
	for _, p := range q {
		n, err := compile(p, src, depth+1)
		if err != nil {
			return nil, err
		}
		parts = append(parts, n)
	}
	slices.SortStableFunc(parts, func(a, b node) int { return int(a.cost()) - int(b.cost()) })
	return parts, nil
}

func compileLeaf(q mail.Query, src Source) (node, error) {
	switch q := q.(type) {
	case mail.All:
		return fact(func(*eval, int) bool { return true }), nil
	case mail.SeqIn:
		return seqIn(q.Set.Resolve(mail.SeqNum(src.Len()))), nil
	case mail.UIDIn:
		var star mail.UID
		if n := src.Len(); n > 0 {
			star = src.UID(n - 1)
		}
		return uidIn(q.Set.Resolve(star)), nil
	case mail.HasFlags:
		return fact(func(e *eval, i int) bool { return e.src.Flags(i).Has(q.Flags) }), nil
	case mail.HasKeyword:
		return fact(func(e *eval, i int) bool { return e.src.HasKeyword(i, q.Keyword) }), nil
	case mail.IsRecent:
		return fact(func(e *eval, i int) bool { return e.src.Recent(i) }), nil
	case mail.Larger:
		return sized(func(n uint64) bool { return n > q.Size }), nil
	case mail.Smaller:
		return sized(func(n uint64) bool { return n < q.Size }), nil
	case mail.InDays:
		return inDays(q), nil
	case mail.InHeader:
		return inHeader{field: q.Field, names: []string{q.Field}, text: newNeedle(q.Text)}, nil
	case mail.InBody:
		return &inText{text: newNeedle(q.Text)}, nil
	case mail.InText:
		return &inText{text: newNeedle(q.Text), header: true}, nil
	}
	return nil, fmt.Errorf("a query of unknown type %T", q)
}

type and []node

func (a and) cost() cost {
	if len(a) == 0 {
		return free
	}
	return a[len(a)-1].cost()
}

func (a and) eval(e *eval, i int, limit cost) (verdict, error) {
	all := yes
	for _, n := range a {
		switch v, err := n.eval(e, i, limit); {
		case err != nil || v == no:
			return no, err
		case v == unknown:
			all = unknown
		}
	}
	return all, nil
}

type or struct{ a, b node }

func (o or) cost() cost { return o.b.cost() }

func (o or) eval(e *eval, i int, limit cost) (verdict, error) {
	a, err := o.a.eval(e, i, limit)
	if a == yes || err != nil {
		return a, err
	}
	b, err := o.b.eval(e, i, limit)
	if b == yes || err != nil {
		return b, err
	}
	return max(a, b), nil // unknown above no
}

type not struct{ n node }

func (n not) cost() cost { return n.n.cost() }

func (n not) eval(e *eval, i int, limit cost) (verdict, error) {
	v, err := n.n.eval(e, i, limit)
	if err != nil || v == unknown {
		return v, err
	}
	return yes - v, nil
}

// fact is what the snapshot knows.
type fact func(*eval, int) bool

func (fact) cost() cost                                     { return free }
func (f fact) eval(e *eval, i int, _ cost) (verdict, error) { return verdictOf(f(e, i)), nil }

type seqIn mail.SeqSet

func (seqIn) cost() cost { return free }
func (s seqIn) eval(_ *eval, i int, _ cost) (verdict, error) {
	return verdictOf(inSorted(mail.SeqSet(s), mail.SeqNum(i+1))), nil
}

type uidIn mail.UIDSet

func (uidIn) cost() cost { return free }
func (s uidIn) eval(e *eval, i int, _ cost) (verdict, error) {
	return verdictOf(inSorted(mail.UIDSet(s), e.src.UID(i))), nil
}

// inSorted looks a number up in a resolved set.
func inSorted[N mail.Number](s mail.Set[N], n N) bool {
	k, _ := slices.BinarySearchFunc(s, n, func(r mail.Range[N], n N) int {
		if r.Last < n {
			return -1
		}
		return 1
	})
	return k < len(s) && s[k].First <= n
}

// sized compares a message's size.
type sized func(uint64) bool

func (sized) cost() cost { return lookup }
func (f sized) eval(e *eval, i int, limit cost) (verdict, error) {
	if limit < lookup {
		return unknown, nil
	}
	n, err := e.src.Size(e.ctx, i)
	return verdictOf(f(uint64(max(n, 0)))), err
}

// inDays compares a date without regard to time and zone (RFC 3501 6.4.4).
type inDays mail.InDays

func (d inDays) cost() cost {
	if d.Field == mail.SentDate {
		return header
	}
	return lookup
}

func (d inDays) eval(e *eval, i int, limit cost) (verdict, error) {
	if limit < d.cost() {
		return unknown, nil
	}
	t, ok, err := e.date(i, d.Field)
	if !ok || err != nil {
		return no, err
	}
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return verdictOf((d.From.IsZero() || !day.Before(d.From)) && (d.Until.IsZero() || day.Before(d.Until))), nil
}

// date is a message's date of delivery in the zone of Options, or its sent date in
// the zone in which it was sent; ok is false if it has none that can be read.
func (e *eval) date(i int, field mail.DateField) (t time.Time, ok bool, err error) {
	if field == mail.SentDate {
		h, err := e.src.Header(e.ctx, i, dateField)
		if err != nil {
			return time.Time{}, false, err
		}
		t, ok = message.ParseDate(message.Value(h, "Date"))
		return t, ok, nil
	}
	t, err = e.src.Internal(e.ctx, i)
	return t.In(e.opt.Zone), err == nil, err
}

var dateField = []string{"Date"}

// inHeader looks for a text in the fields of one name; an empty one is in every
// field.
type inHeader struct {
	field string
	names []string
	text  *needle
}

func (inHeader) cost() cost { return header }

func (h inHeader) eval(e *eval, i int, limit cost) (verdict, error) {
	if limit < header {
		return unknown, nil
	}
	b, err := e.src.Header(e.ctx, i, h.names)
	if err != nil {
		return no, err
	}
	for v := range message.Values(b, h.field) {
		if h.text.in(message.DecodeHeader(v)) {
			return yes, nil
		}
	}
	return no, nil
}

// inText looks for a text in the bodies, and perhaps in the headers.
type inText struct {
	text   *needle
	header bool
	at     int // in eval.keys
}

// wholeKeys appends the keys of a query that look into whole messages.
func wholeKeys(n node, keys []*inText) []*inText {
	switch n := n.(type) {
	case and:
		for _, part := range n {
			keys = wholeKeys(part, keys)
		}
	case or:
		keys = wholeKeys(n.b, wholeKeys(n.a, keys))
	case not:
		keys = wholeKeys(n.n, keys)
	case *inText:
		if !n.text.empty() {
			n.at = len(keys)
			keys = append(keys, n)
		}
	}
	return keys
}

func (*inText) cost() cost { return open }

func (t *inText) eval(e *eval, i int, limit cost) (verdict, error) {
	if limit < open {
		return unknown, nil
	}
	if t.text.empty() {
		return yes, nil
	}
	o, err := e.message(i)
	if err != nil {
		return no, err
	}
	found, err := o.contains(t)
	return verdictOf(found), err
}

func (e *eval) close() {
	if e.open != nil {
		e.open.text.Close()
		e.open = nil
	}
}

// message opens a message once for all nodes that need it.
func (e *eval) message(i int) (*opened, error) {
	if e.open != nil {
		return e.open, nil
	}
	text, err := e.src.Open(e.ctx, i)
	if err != nil {
		return nil, err
	}
	e.open = &opened{text: text, keys: e.keys, found: make([]bool, len(e.keys))}
	size, err := text.Size()
	if err != nil {
		return nil, err
	}
	e.open.m, err = message.Parse(text, size)
	return e.open, err
}

package search

import (
	"context"
	"errors"
	"slices"
	"time"

	"postrider/mail"
	"postrider/message"
)

// Node is a message in a thread, or the place of one that is not there (Index -1).
type Node struct {
	Index    int
	Children []*Node

	sent    time.Time
	place   int    // Index, or that of the first child
	subject string // the base subject, collated
	isReply bool
	parent  *Node
}

// Thread gathers hits into threads (RFC 5256 3) and returns the first message of
// each.
func Thread(ctx context.Context, alg mail.ThreadAlgorithm, src Source, hits []int, o Options) ([]*Node, error) {
	heads := make([]threadHead, len(hits))
	at := make(map[int]int, len(hits))
	for k, i := range hits {
		at[i] = k
	}
	err := spread(ctx, o.Workers, hits, func(i int) error {
		return heads[at[i]].load(&eval{ctx: ctx, src: src, opt: o}, i, alg)
	})
	if err != nil {
		return nil, err
	}
	if alg == mail.OrderedSubject {
		return orderedSubject(heads), nil
	}
	return references(heads), nil
}

// threadHead is what threading needs of a message.
type threadHead struct {
	node *Node
	id   string
	refs []string
}

var (
	subjectFields    = []string{"Date", "Subject"}
	referencesFields = []string{"Date", "Subject", "Message-ID", "In-Reply-To", "References"}
)

func (t *threadHead) load(e *eval, i int, alg mail.ThreadAlgorithm) error {
	fields := referencesFields
	if alg == mail.OrderedSubject {
		fields = subjectFields
	}
	h, err := e.src.Header(e.ctx, i, fields)
	if err != nil && !errors.Is(err, ErrGone) {
		return err
	}
	var k keys
	k.setSubject(h)
	sent, err := e.sentFrom(i, h)
	if err != nil && !errors.Is(err, ErrGone) {
		return err
	}
	t.node = &Node{Index: i, place: i, sent: sent, subject: string(k.subject), isReply: k.isReply}
	if alg == mail.References {
		if ids := messageIDs(message.Value(h, "Message-ID"), 1); len(ids) > 0 {
			t.id = ids[0]
		}
		if t.refs = messageIDs(message.Value(h, "References"), maxRefs); len(t.refs) == 0 {
			t.refs = messageIDs(message.Value(h, "In-Reply-To"), 1)
		}
	}
	return nil
}

// before is the order of siblings: by sent date, then by sequence number.
func before(a, b *Node) int {
	if c := a.sent.Compare(b.sent); c != 0 {
		return c
	}
	return a.place - b.place
}

// orderedSubject is "poor man's threading".
func orderedSubject(heads []threadHead) []*Node {
	nodes := make([]*Node, len(heads))
	for i, h := range heads {
		nodes[i] = h.node
	}
	slices.SortFunc(nodes, before)
	first := make(map[string]*Node, len(nodes))
	var roots []*Node
	for _, n := range nodes {
		if r := first[n.subject]; r != nil {
			r.Children = append(r.Children, n)
			continue
		}
		first[n.subject] = n
		roots = append(roots, n)
	}
	return roots // in the order of their first message's date
}

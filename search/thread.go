package search

import (
	"cmp"
	"context"
	"slices"

	"postrider/mail"
	"postrider/message"
)

// Node is a message in a thread, or the place of one that is not there (Index -1).
type Node struct {
	Index    int
	Children []*Node

	sent    int64  // in seconds since 1970
	place   int    // Index, or that of the first child
	subject uint64 // stands for the base subject; 0: it is empty
	isReply bool
	parent  *Node
}

// Thread gathers hits into threads (RFC 5256 3) and returns the first message of
// each.
func Thread(ctx context.Context, alg mail.ThreadAlgorithm, src Source, hits []int, o Options) ([]*Node, error) {
	if o.Memory == nil {
		o.Memory = NewMemory()
	}
	ks, err := o.keysOf(ctx, src, hits, haveSent|haveLinks)
	if err != nil {
		return nil, err
	}
	heads, nodes := make([]threadHead, len(hits)), make([]Node, len(hits))
	for k, i := range hits {
		key := &ks[k]
		nodes[k] = Node{Index: i, place: i, sent: key.sent, subject: key.subject, isReply: key.isReply}
		heads[k] = threadHead{&nodes[k], key.id, key.refs}
	}
	if alg == mail.OrderedSubject {
		return orderedSubject(heads), nil
	}
	return references(heads), nil
}

// threadHead is what threading needs of a message.
type threadHead struct {
	node *Node
	id   uint64 // 0: none
	refs []uint64
}

// setLink reads how a message hangs together with others.
func (k *keys) setLink(h []byte, m *Memory) {
	subject, isReply := subjectOf(h)
	k.link = link{subject: m.hash(subject), isReply: isReply}
	if ids := messageIDs(message.Value(h, "Message-ID"), 1); len(ids) > 0 {
		k.id = m.hash([]byte(ids[0]))
	}
	refs := messageIDs(message.Value(h, "References"), maxRefs)
	if len(refs) == 0 {
		refs = messageIDs(message.Value(h, "In-Reply-To"), 1)
	}
	for _, id := range refs {
		k.refs = append(k.refs, m.hash([]byte(id)))
	}
}

// before is the order of siblings: by sent date, then by sequence number.
func before(a, b *Node) int {
	if c := cmp.Compare(a.sent, b.sent); c != 0 {
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
	first := make(map[uint64]*Node, len(nodes))
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

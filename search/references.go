package search

import (
	"slices"
	"strings"
)

const (
	// maxRefs bounds the references of one message that count: its nearest ones.
	maxRefs = 200

	// maxClimb bounds the walk that looks for a loop. A deeper place is treated as
	// if a loop were there: the link is not made.
	maxClimb = 2000
)

// references is the REFERENCES algorithm. The numbers are its steps in RFC 5256 3.
func references(heads []threadHead) []*Node {
	byID := make(map[uint64]*Node, len(heads)+len(heads)/4)
	all := make([]*Node, 0, len(heads)+len(heads)/4)
	for _, h := range heads { // (1) (A): an ID belongs to the first message that has it
		if _, taken := byID[h.id]; h.id != 0 && !taken {
			byID[h.id] = h.node
		}
		all = append(all, h.node)
	}
	for _, h := range heads {
		last := (*Node)(nil)
		for _, id := range h.refs {
			n := byID[id]
			if n == nil {
				n = &Node{Index: -1}
				byID[id] = n
				all = append(all, n)
			}
			if last != nil && n.parent == nil && !loops(last, n) {
				n.parent = last
			}
			last = n
		}
		// (1) (B)
		if h.node.parent = nil; last != nil && !loops(last, h.node) {
			h.node.parent = last
		}
	}
	return mergeSubjects(prune(gather(all)))
}

// loops reports whether making parent the parent of n would close a loop.
func loops(parent, n *Node) bool {
	for range maxClimb {
		if parent == nil {
			return false
		}
		if parent == n {
			return true
		}
		parent = parent.parent
	}
	return true
}

// gather is step (2): it fills in the children and returns those without a parent.
func gather(all []*Node) []*Node {
	var roots []*Node
	for _, n := range all {
		if n.parent != nil {
			n.parent.Children = append(n.parent.Children, n)
		} else {
			roots = append(roots, n)
		}
	}
	return roots
}

// prune is step (3). It goes down from the roots without recursion: a thread may be
// as deep as the mailbox is long, and every dummy is taken apart once, by the nearest
// above it that stays.
func prune(roots []*Node) []*Node {
	stay := slices.Clone(roots)
	for i := 0; i < len(stay); i++ {
		n := stay[i]
		n.Children = promoted(n.Children)
		stay = append(stay, n.Children...)
	}
	out := roots[:0:0]
	for _, n := range roots {
		if n.Index >= 0 || len(n.Children) > 1 { // a dummy among the roots: only if there is one
			out = append(out, n)
		} else {
			out = append(out, n.Children...)
		}
	}
	return out
}

// promoted puts the children of dummies in their places, however deep.
func promoted(siblings []*Node) []*Node {
	if !slices.ContainsFunc(siblings, func(n *Node) bool { return n.Index < 0 }) {
		return siblings
	}
	var out []*Node
	open := slices.Clone(siblings) // the last comes first
	slices.Reverse(open)
	for len(open) > 0 {
		n := open[len(open)-1]
		open = open[:len(open)-1]
		if n.Index >= 0 {
			out = append(out, n)
			continue
		}
		for _, c := range slices.Backward(n.Children) {
			open = append(open, c)
		}
	}
	return out
}

// mergeSubjects is steps (4) to (6).
func mergeSubjects(roots []*Node) []*Node {
	for _, n := range roots { // (4)
		n.settle()
	}
	slices.SortStableFunc(roots, before)
	table := make(map[uint64]*Node, len(roots)) // (5) (A), (B)
	for _, n := range roots {
		s := n.subject
		if s == 0 {
			continue
		}
		old := table[s]
		if old == nil || old.Index >= 0 && (n.Index < 0 || old.isReply && !n.isReply) {
			table[s] = n
		}
	}
	gone := make(map[*Node]bool)
	for i := 0; i < len(roots); i++ { // (5) (C)
		n := roots[i]
		old := table[n.subject]
		if n.subject == 0 || old == n || gone[n] {
			continue
		}
		gone[n] = true
		switch {
		case old.Index < 0 && n.Index < 0:
			old.Children = append(old.Children, n.Children...)
		case old.Index < 0, n.isReply && !old.isReply:
			old.Children = append(old.Children, n)
		default:
			both := &Node{Index: -1, subject: n.subject, Children: []*Node{old, n}}
			table[n.subject] = both
			gone[old] = true
			roots = append(roots, both)
		}
	}
	roots = slices.DeleteFunc(roots, func(n *Node) bool { return gone[n] })
	return sortSiblings(roots)
}

// settle gives a dummy the place, the date and the subject of its first child.
func (n *Node) settle() {
	if n.Index >= 0 || len(n.Children) == 0 {
		return
	}
	slices.SortStableFunc(n.Children, before)
	first := n.Children[0]
	n.place, n.sent, n.subject, n.isReply = first.place, first.sent, first.subject, first.isReply
}

// sortSiblings is step (6): every set of siblings by date, the youngest first, so
// that a dummy takes the date of its first child.
func sortSiblings(roots []*Node) []*Node {
	order := slices.Clone(roots)
	for i := 0; i < len(order); i++ {
		order = append(order, order[i].Children...)
	}
	for _, n := range slices.Backward(order) {
		slices.SortStableFunc(n.Children, before)
		n.settle()
	}
	slices.SortStableFunc(roots, before)
	return roots
}

// messageIDs returns the last message IDs, at most limit, of a field, without their quotes:
// <"a"@b> and <a@b> are the same.
func messageIDs(s string, limit int) []string {
	var ids []string
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			break
		}
		s = s[i+1:]
		end := strings.IndexAny(s, "<>")
		if end < 0 {
			break
		}
		id := strings.ReplaceAll(strings.ReplaceAll(s[:end], `"`, ""), `\`, "")
		if s[end] == '>' && strings.Contains(id, "@") && !strings.ContainsAny(id, " \t") {
			if ids = append(ids, strings.Clone(id)); limit == 1 {
				return ids
			}
		}
		s = s[end:]
	}
	if len(ids) > limit {
		ids = ids[len(ids)-limit:]
	}
	return ids
}

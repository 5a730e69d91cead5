package account

import (
	"slices"
	"strings"

	"postrider/mail"
)

// Tree is an account's mailboxes at one moment. It never changes.
type Tree struct {
	nodes      []Node
	byName     map[mail.Name]int
	subscribed []mail.Name
}

// Node is a mailbox, or a name above one.
type Node struct {
	Name        mail.Name
	Exists      bool // it can be selected; else it is only a parent
	HasChildren bool
	Subscribed  bool
	SpecialUse  []string // attributes such as \Sent (RFC 6154)

	dir string
}

// Nodes are all nodes: the inbox first, then in the order of names.
func (t *Tree) Nodes() []Node { return t.nodes }

// Subscribed are the names that the user subscribed to, in the order of the
// file; they need not exist.
func (t *Tree) Subscribed() []mail.Name { return t.subscribed }

// Find returns the node of a name.
func (t *Tree) Find(n mail.Name) (Node, bool) {
	i, ok := t.byName[n]
	if !ok {
		return Node{}, false
	}
	return t.nodes[i], true
}

// newTree makes a tree of existing folders; missing parents become nodes.
func newTree(dirs map[mail.Name]string, subscribed []mail.Name, uses map[mail.Name][]string) *Tree {
	t := &Tree{byName: make(map[mail.Name]int), subscribed: subscribed}
	parents := make(map[mail.Name]bool)
	for name, dir := range dirs {
		t.nodes = append(t.nodes, Node{Name: name, Exists: true, dir: dir})
		for p := name.Parent(); p != "" && !parents[p]; p = p.Parent() {
			parents[p] = true
		}
	}
	for p := range parents {
		if _, ok := dirs[p]; !ok {
			t.nodes = append(t.nodes, Node{Name: p})
		}
	}
	slices.SortFunc(t.nodes, func(a, b Node) int {
		if (a.Name == mail.Inbox) != (b.Name == mail.Inbox) {
			if a.Name == mail.Inbox {
				return -1
			}
			return 1
		}
		return strings.Compare(string(a.Name), string(b.Name))
	})
	for i := range t.nodes {
		n := &t.nodes[i]
		t.byName[n.Name] = i
		n.HasChildren = parents[n.Name]
		n.SpecialUse = uses[n.Name]
	}
	for _, name := range subscribed {
		if i, ok := t.byName[name]; ok {
			t.nodes[i].Subscribed = true
		}
	}
	t.guessUses()
	return t
}

// wellKnown are the top-level names that clients use for a purpose, the
// likeliest first. An attribute that was set explicitly wins over all of them.
var wellKnown = [...]struct {
	use   string
	names []string
}{
	{`\Archive`, []string{"Archive", "Archives"}},
	{`\Drafts`, []string{"Drafts", "Draft"}},
	{`\Junk`, []string{"Junk", "Spam", "Junk E-mail", "Junk Email", "Bulk Mail"}},
	{`\Sent`, []string{"Sent", "Sent Items", "Sent Messages", "Sent Mail", "sent-mail"}},
	{`\Trash`, []string{"Trash", "Deleted Items", "Deleted Messages", "Bin"}},
}

// guessUses gives each use that nobody set to the likeliest folder without one.
func (t *Tree) guessUses() {
	for _, w := range wellKnown {
		if slices.ContainsFunc(t.nodes, func(n Node) bool { return slices.Contains(n.SpecialUse, w.use) }) {
			continue
		}
		t.giveUse(w.use, w.names)
	}
}

func (t *Tree) giveUse(use string, names []string) {
	for _, want := range names {
		for i := range t.nodes {
			n := &t.nodes[i]
			if n.Exists && len(n.SpecialUse) == 0 && strings.EqualFold(string(n.Name), want) {
				n.SpecialUse = []string{use}
				return
			}
		}
	}
}

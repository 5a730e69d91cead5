package session

import (
	"context"
	"slices"
	"strings"

	"postrider/account"
	"postrider/imap"
	"postrider/mail"
	"postrider/wire"
)

func parseList(d *imap.Decoder) imap.List { return d.ListArgs() }
func parseLsub(d *imap.Decoder) imap.Lsub { return d.Lsub() }

// listOptions are the options of RFC 5258 and RFC 6154 that are understood.
type listOptions struct{ subscribed, specialUse bool }

// options reads the selection and return options: SUBSCRIBED, SPECIAL-USE and
// CHILDREN, and REMOTE, which adds nothing here. Those that a client may not use
// before they are announced are refused.
func options(a imap.List) (sel, ret listOptions, err error) {
	for i, word := range slices.Concat(a.Select, a.Return) {
		o, selecting := &ret, i < len(a.Select)
		if selecting {
			o = &sel
		}
		switch {
		case word == "SUBSCRIBED":
			o.subscribed = true
		case word == "SPECIAL-USE":
			o.specialUse = true
		case word == "CHILDREN" && !selecting, word == "REMOTE" && selecting:
		default:
			return sel, ret, imap.Bad("No such option of LIST here: " + word)
		}
	}
	ret.subscribed = ret.subscribed || sel.subscribed // RFC 5258 3.1
	return sel, ret, nil
}

// list runs LIST (RFC 3501 6.3.8, RFC 3348, RFC 6154).
func (s *Session) list(ctx context.Context, c *wire.Command, a imap.List) error {
	sel, ret, err := options(a)
	if err != nil {
		return err
	}
	style := s.Account.Style()
	if !a.Extended && a.Patterns[0] == "" {
		c.Write(appendList(c.AvailableBuffer(), "LIST", []string{`\Noselect`}, style, ""))
		return nil
	}
	tree, err := s.Account.List(ctx)
	if err != nil {
		return err
	}
	patterns := interpret(a.Reference, a.Patterns, style)
	for _, n := range listed(tree, sel) {
		name := style.Wire(n.Name)
		if matchesAny(patterns, name, style) {
			c.Write(appendList(c.AvailableBuffer(), "LIST", attributes(n, tree, style, ret), style, name))
		}
	}
	return nil
}

// listed are the nodes that the selection options leave.
func listed(t *account.Tree, sel listOptions) []account.Node {
	if sel == (listOptions{}) {
		return t.Nodes()
	}
	var out []account.Node
	for _, n := range t.Nodes() {
		if (!sel.subscribed || n.Subscribed) && (!sel.specialUse || len(n.SpecialUse) > 0) {
			out = append(out, n)
		}
	}
	if !sel.specialUse {
		for _, name := range t.Subscribed() {
			if _, ok := t.Find(name); !ok {
				out = append(out, account.Node{Name: name, Subscribed: true})
			}
		}
	}
	return out
}

// interpret joins reference and patterns as Courier does: with a delimiter between
// them if there is none.
func interpret(reference string, patterns []string, style account.Style) []string {
	if reference == "" {
		return patterns
	}
	d := string(rune(style.Delimiter))
	out := make([]string, len(patterns))
	for i, p := range patterns {
		out[i] = strings.TrimSuffix(reference, d) + d + strings.TrimPrefix(p, d)
	}
	return out
}

func matchesAny(patterns []string, name string, style account.Style) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return account.Match(p, name, style.Delimiter) })
}

// attributes are a mailbox's name attributes (RFC 3501 7.2.2, RFC 3348, RFC 6154).
func attributes(n account.Node, t *account.Tree, style account.Style, ret listOptions) []string {
	var out []string
	if !n.Exists {
		_, known := t.Find(n.Name)
		if !known {
			out = append(out, `\NonExistent`)
		}
		out = append(out, `\Noselect`)
	}
	if n.HasChildren || n.Name == mail.Inbox && style.Prefix != "" && len(t.Nodes()) > 1 {
		out = append(out, `\HasChildren`)
	} else {
		out = append(out, `\HasNoChildren`)
	}
	if ret.subscribed && n.Subscribed {
		out = append(out, `\Subscribed`)
	}
	return append(out, n.SpecialUse...)
}

func appendList(b []byte, word string, attributes []string, style account.Style, name string) []byte {
	b = append(b, "* "...)
	b = append(b, word...)
	b = append(b, " ("...)
	b = append(b, strings.Join(attributes, " ")...)
	b = append(b, ") \""...)
	b = append(b, style.Delimiter, '"', ' ')
	b = imap.AppendMailbox(b, name)
	return append(b, "\r\n"...)
}

// lsub runs LSUB (RFC 3501 6.3.9). Where "%" keeps a subscribed name from matching,
// the level above that matches is shown instead, as \Noselect.
func (s *Session) lsub(ctx context.Context, c *wire.Command, a imap.Lsub) error {
	style := s.Account.Style()
	if a.Pattern == "" {
		c.Write(appendList(c.AvailableBuffer(), "LSUB", []string{`\Noselect`}, style, ""))
		return nil
	}
	tree, err := s.Account.List(ctx)
	if err != nil {
		return err
	}
	patterns := interpret(a.Reference, []string{a.Pattern}, style)
	shown := make(map[string]bool)
	for _, n := range tree.Subscribed() {
		name := style.Wire(n)
		if matchesAny(patterns, name, style) {
			shown[name] = true
			c.Write(appendList(c.AvailableBuffer(), "LSUB", subscribedAttributes(tree, n), style, name))
		}
	}
	if !strings.HasSuffix(a.Pattern, "%") {
		return nil
	}
	for _, n := range tree.Subscribed() {
		for _, up := range levelsAbove(style.Wire(n), style.Delimiter) {
			if !shown[up] && matchesAny(patterns, up, style) {
				shown[up] = true
				c.Write(appendList(c.AvailableBuffer(), "LSUB", []string{`\Noselect`, `\HasChildren`}, style, up))
			}
		}
	}
	return nil
}

func subscribedAttributes(t *account.Tree, n mail.Name) []string {
	switch node, ok := t.Find(n); {
	case ok && node.HasChildren:
		return []string{`\HasChildren`}
	default:
		return []string{`\HasNoChildren`}
	}
}

// levelsAbove are the names above a name, the nearest first.
func levelsAbove(name string, delimiter byte) []string {
	var out []string
	for {
		i := strings.LastIndexByte(name, delimiter)
		if i <= 0 {
			return out
		}
		name = name[:i]
		out = append(out, name)
	}
}

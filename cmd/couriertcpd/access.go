package couriertcpd

import (
	"net/netip"
	"slices"
	"strings"
)

// rules is an access file in memory.
type rules struct {
	nets  map[netip.Prefix]verdict
	bits4 []int // lengths of prefixes that there are, the longest first
	bits6 []int
	ports map[netip.AddrPort]verdict // of our own ends
	any   *verdict                   // "*"
	onAny map[uint16]verdict         // "*.PORT"
}

// verdict is what one rule says.
type verdict struct {
	deny bool
	set  []assignment
}

type assignment struct{ name, value string }

func newRules() *rules {
	return &rules{nets: make(map[netip.Prefix]verdict), ports: make(map[netip.AddrPort]verdict), onAny: make(map[uint16]verdict)}
}

// remote is the rule for a client's address: the one record that is nearest to it.
func (r *rules) remote(a netip.Addr) verdict {
	if v, ok := r.net(a); ok {
		return v
	}
	return r.whatever()
}

// local is the rule for our own end. One with the port is nearest.
func (r *rules) local(ap netip.AddrPort) verdict {
	a := ap.Addr().Unmap().WithZone("")
	if v, ok := r.ports[netip.AddrPortFrom(a, ap.Port())]; ok {
		return v
	}
	if v, ok := r.net(a); ok {
		return v
	}
	if v, ok := r.onAny[ap.Port()]; ok {
		return v
	}
	return r.whatever()
}

func (r *rules) whatever() verdict {
	if r.any == nil {
		return verdict{}
	}
	return *r.any
}

func (r *rules) net(a netip.Addr) (verdict, bool) {
	a = a.Unmap().WithZone("")
	bits := r.bits6
	if a.Is4() {
		bits = r.bits4
	}
	for _, n := range bits {
		p, err := a.Prefix(n)
		if err != nil {
			continue
		}
		if v, ok := r.nets[p]; ok {
			return v, true
		}
	}
	return verdict{}, false
}

// add takes a network's rule; of two for the same the later counts, as in makedat.
func (r *rules) add(p netip.Prefix, v verdict) {
	p = p.Masked()
	r.nets[p] = v
	bits := &r.bits6
	if p.Addr().Is4() {
		bits = &r.bits4
	}
	if !slices.Contains(*bits, p.Bits()) {
		*bits = append(*bits, p.Bits())
		slices.SortFunc(*bits, func(a, b int) int { return b - a })
	}
}

// parseVerdict reads "deny...", "allow[,NAME[=VALUE]...]", or names alone.
func parseVerdict(text string) verdict {
	if strings.HasPrefix(text, "deny") {
		return verdict{deny: true}
	}
	text = strings.TrimPrefix(text, "allow")
	var v verdict
	for text != "" {
		var item string
		item, text = nextItem(text)
		name, value, _ := strings.Cut(strings.Trim(item, " \t"), "=")
		if name != "" && !strings.ContainsRune(item, 0) {
			v.set = append(v.set, assignment{name, value})
		}
	}
	return v
}

// nextItem is what stands before the next comma that no quotes protect. The quotes
// themselves go.
func nextItem(text string) (item, rest string) {
	var b strings.Builder
	quote := byte(0)
	for i := range len(text) {
		c := text[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteByte(c)
		case c == '\'' || c == '"':
			quote = c
		case c == ',':
			return b.String(), text[i+1:]
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

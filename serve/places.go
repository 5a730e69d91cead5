package serve

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// limits are how many connections there may be at once; 0 is no limit.
type limits struct{ all, perAddress, perNetwork int }

// patience is how long a connection from elsewhere may stay without a login
// before it makes way where the server is full. An honest login takes less.
const patience = 5 * time.Second

// places counts who is in. Who has not logged in yet is a stranger: where a limit
// is reached, the oldest stranger of the address that knocks makes way, so that
// whoever fills his limit with half-open connections loses those and nothing else.
type places struct {
	limits limits
	now    func() time.Time

	mu        sync.Mutex
	total     int
	address   map[netip.Addr]*address
	network   map[netip.Addr]int
	strangers list.List // of *place, the oldest first
	refused   int64
	displaced int64
	served    int64
}

// address is the connections of one.
type address struct {
	total     int
	strangers list.List // of *place, the oldest first
}

// place is one connection's. Its fields belong to the places.
type place struct {
	from    netip.Addr
	since   time.Time
	evict   func() // ends the connection of a stranger, without waiting
	any, of *list.Element
	given   bool // to another
}

func newPlaces(l limits) *places {
	return &places{limits: l, now: time.Now, address: make(map[netip.Addr]*address), network: make(map[netip.Addr]int)}
}

// enter counts a connection in as a stranger, or says what is full. evict ends it,
// without waiting, if it is to make way; it is called once at most, and not after
// settle or leave.
func (p *places) enter(from netip.Addr, evict func()) (in *place, refusal string) {
	p.mu.Lock()
	in, out, refusal := p.admit(host(from))
	if in != nil {
		in.evict = evict
	}
	p.mu.Unlock()
	if out != nil {
		out()
	}
	return in, refusal
}

func (p *places) admit(from netip.Addr) (in *place, out func(), refusal string) {
	if refusal = p.full(from); refusal != "" {
		victim := p.victim(from, refusal)
		if victim == nil {
			p.refused++
			return nil, nil, refusal
		}
		out = victim.evict
		victim.given = true
		p.remove(victim)
		p.displaced++
	}
	a := p.address[from]
	if a == nil {
		a = new(address)
		p.address[from] = a
	}
	in = &place{from: from, since: p.now()}
	in.any, in.of = p.strangers.PushBack(in), a.strangers.PushBack(in)
	a.total++
	p.total++
	p.served++
	p.network[network(from)]++
	return in, out, ""
}

func (p *places) stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Open: p.total, Strangers: p.strangers.Len(), Served: p.served, Refused: p.refused, Displaced: p.displaced}
}

// What is full.
const (
	fullAddress = "Too many connections from your address"
	fullNetwork = "Too many connections from your network"
	fullServer  = "Too many connections"
)

// full says which limit is reached for an address, "" if none.
func (p *places) full(from netip.Addr) string {
	l := p.limits
	switch a := p.address[from]; {
	case l.perAddress > 0 && a != nil && a.total >= l.perAddress:
		return fullAddress
	case l.perNetwork > 0 && p.network[network(from)] >= l.perNetwork:
		return fullNetwork
	case l.all > 0 && p.total >= l.all:
		return fullServer
	}
	return ""
}

// victim is who makes way for a connection from an address: its own oldest
// stranger; where the server is full, else one from elsewhere that had time enough
// to log in.
func (p *places) victim(from netip.Addr, full string) *place {
	if a := p.address[from]; a != nil && a.strangers.Len() > 0 {
		return a.strangers.Front().Value.(*place)
	}
	if full != fullServer || p.strangers.Len() == 0 {
		return nil
	}
	oldest := p.strangers.Front().Value.(*place)
	if p.now().Sub(oldest.since) < patience {
		return nil
	}
	return oldest
}

// settle says that whoever has the place has logged in, or false if the place was
// given to another meanwhile.
func (p *places) settle(in *place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if in.given {
		return false
	}
	p.known(in)
	return true
}

// known takes a place from the strangers.
func (p *places) known(in *place) {
	if in.any != nil {
		p.strangers.Remove(in.any)
		p.address[in.from].strangers.Remove(in.of)
		in.any, in.of, in.evict = nil, nil, nil
	}
}

// leave gives a place back.
func (p *places) leave(in *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !in.given {
		p.remove(in)
	}
}

func (p *places) remove(in *place) {
	p.known(in)
	p.total--
	a := p.address[in.from]
	if a.total--; a.total == 0 {
		delete(p.address, in.from)
	}
	net := network(in.from)
	if p.network[net]--; p.network[net] == 0 {
		delete(p.network, net)
	}
}

// host is what counts as one address: a host with IPv6 has 64 bits of them.
func host(a netip.Addr) netip.Addr { return narrow(a, 32, 64) }

// network is what counts as one network.
func network(a netip.Addr) netip.Addr { return narrow(a, 24, 56) }

// narrow is an address with only its first bits, which are of version 4 or 6.
func narrow(a netip.Addr, four, six int) netip.Addr {
	a = a.Unmap().WithZone("")
	bits := four
	if a.Is6() {
		bits = six
	}
	if p, err := a.Prefix(bits); err == nil {
		return p.Addr()
	}
	return a // of a connection without one
}

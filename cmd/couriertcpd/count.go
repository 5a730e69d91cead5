package couriertcpd

import (
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// count is how many connections there are, and from where.
type count struct {
	mu       sync.Mutex
	total    int
	address  map[netip.Addr]int
	network  map[netip.Prefix]int
	warned   time.Time
	alarmed  time.Time
	settings *Options
	log      func(string)
}

func newCount(o *Options, log func(string)) *count {
	return &count{address: make(map[netip.Addr]int), network: make(map[netip.Prefix]int), settings: o, log: log}
}

// networkOf is all addresses that differ in the last octet alone, as Courier counts them.
func networkOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	p, _ := a.Prefix(a.BitLen() - 8) // never an error: the length fits
	return p
}

// enter counts a connection in, unless its address or network has as many as it may.
func (c *count) enter(a netip.Addr, perAddress int) bool {
	a = a.Unmap().WithZone("")
	net := networkOf(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.address[a] >= perAddress:
		c.log("ALERT: Maximum connection limit reached for " + present(a))
		return false
	case c.network[net] >= c.settings.MaxPerNetwork:
		c.log("ALERT: Maximum connection limit reached for network " + net.String())
		return false
	}
	c.total++
	c.address[a]++
	c.network[net]++
	c.warn()
	return true
}

// warn tells that places are becoming few, at most once a minute.
func (c *count) warn() {
	now := time.Now()
	switch {
	case c.total >= c.settings.MaxProcs:
		if now.Sub(c.alarmed) >= time.Minute {
			c.alarmed = now
			c.log("ALERT: " + strconv.Itoa(c.total) + " maximum active connections.")
		}
	case c.total >= c.settings.Warn:
		if now.Sub(c.warned) >= time.Minute {
			c.warned = now
			c.log("WARN: " + strconv.Itoa(c.total) + " active connections.")
		}
	}
}

func (c *count) leave(a netip.Addr) {
	a = a.Unmap().WithZone("")
	net := networkOf(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total--
	if c.address[a]--; c.address[a] == 0 {
		delete(c.address, a)
	}
	if c.network[net]--; c.network[net] == 0 {
		delete(c.network, net)
	}
}

// present is an address as Courier writes it: one of IPv4 as IPv6 maps it.
func present(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return "::ffff:" + a.String()
	}
	return a.String()
}

func decimal(n uint16) string { return strconv.Itoa(int(n)) }

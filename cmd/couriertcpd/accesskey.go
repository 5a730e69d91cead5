package couriertcpd

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// addKey takes one rule by its key:
//
//	a.b.c.d  a.b.c  a.b  a        an IPv4 address, or a network of whole octets
//	:hhhh:hhhh...                 an IPv6 address, or a network of whole groups
//	KEY.PORT of a full address    for -accesslocal
//	*  *.PORT
//	ADDRESS/BITS  FIRST-LAST      as makedat -cidr expands them
func (r *rules) addKey(key string, v verdict) error {
	switch {
	case key == "*":
		r.any = &v
		return nil
	case strings.HasPrefix(key, "*."):
		port, err := parsePortNumber(key[2:])
		if err == nil {
			r.onAny[port] = v
		}
		return err
	case strings.Contains(key, "/"):
		p, err := netip.ParsePrefix(key)
		if err != nil {
			return err
		}
		if p.Addr().Is4In6() {
			if p.Bits() < 96 {
				return errors.New("a network of mapped addresses that is larger than all of IPv4")
			}
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		r.add(p, v)
		return nil
	case strings.Contains(key, "-"):
		return r.addRange(key, v)
	case strings.HasPrefix(key, ":"):
		return r.addGroups(key, v)
	}
	return r.addOctets(key, v)
}

func (r *rules) addOctets(key string, v verdict) error {
	words := strings.Split(key, ".")
	if len(words) > 5 {
		return errors.New("more than four octets and a port")
	}
	var a [4]byte
	for i, word := range words[:min(len(words), 4)] {
		n, err := strconv.ParseUint(word, 10, 8)
		if err != nil || strconv.Itoa(int(n)) != word {
			return fmt.Errorf("%.40q is no octet", word)
		}
		a[i] = byte(n)
	}
	if len(words) == 5 {
		port, err := parsePortNumber(words[4])
		if err == nil {
			r.ports[netip.AddrPortFrom(netip.AddrFrom4(a), port)] = v
		}
		return err
	}
	r.add(netip.PrefixFrom(netip.AddrFrom4(a), 8*len(words)), v)
	return nil
}

func (r *rules) addGroups(key string, v verdict) error {
	groups, portWord, hasPort := strings.Cut(key, ".")
	words := strings.Split(groups[1:], ":")
	if len(words) > 8 || hasPort && len(words) != 8 {
		return errors.New("more than eight groups, or a port behind fewer")
	}
	var a [16]byte
	for i, word := range words {
		n, err := strconv.ParseUint(word, 16, 16)
		if err != nil || len(word) != 4 || strings.ToLower(word) != word {
			return fmt.Errorf("%.40q is no group of four small hexadecimal digits", word)
		}
		a[2*i], a[2*i+1] = byte(n>>8), byte(n)
	}
	if hasPort {
		port, err := parsePortNumber(portWord)
		if err == nil {
			r.ports[netip.AddrPortFrom(netip.AddrFrom16(a), port)] = v
		}
		return err
	}
	r.add(netip.PrefixFrom(netip.AddrFrom16(a), 16*len(words)), v)
	return nil
}

// addRange covers FIRST-LAST with as few networks as there can be.
func (r *rules) addRange(key string, v verdict) error {
	first, last, _ := strings.Cut(key, "-")
	from, err := netip.ParseAddr(strings.TrimSpace(first))
	if err != nil {
		return err
	}
	to, err := netip.ParseAddr(strings.TrimSpace(last))
	if err != nil {
		return err
	}
	from, to = from.Unmap().WithZone(""), to.Unmap().WithZone("")
	if from.BitLen() != to.BitLen() || to.Less(from) {
		return errors.New("the last address lies before the first")
	}
	for {
		p := netip.PrefixFrom(from, from.BitLen())
		for p.Bits() > 0 {
			wider := netip.PrefixFrom(from, p.Bits()-1)
			if wider.Masked().Addr() != from || to.Less(lastOf(wider)) {
				break
			}
			p = wider
		}
		r.add(p, v)
		end := lastOf(p)
		if end == to {
			return nil
		}
		from = end.Next()
	}
}

// lastOf is the last address of a network.
func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < 8*len(bytes); i++ {
		bytes[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(bytes)
	return a
}

func parsePortNumber(word string) (uint16, error) {
	n, err := strconv.ParseUint(word, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%.40q is no port", word)
	}
	return uint16(n), nil
}

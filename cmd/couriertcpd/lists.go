package couriertcpd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// blockVariable is what a DNS list sets, and -drop looks at, unless another is named.
const blockVariable = "BLOCK"

// dnsList is one -allow or -block.
type dnsList struct {
	block         bool
	zone, display string
	variable      string
	only          netip.Addr // a hit must have this address; invalid: any
	message       string
	hasMessage    bool
}

// parseList reads ZONE[=DISPLAY][,VAR[/IP][,MESSAGE]].
func parseList(value string, block bool) (dnsList, error) {
	l := dnsList{block: block, variable: blockVariable}
	zone, rest, more := strings.Cut(value, ",")
	l.zone, l.display, _ = strings.Cut(zone, "=")
	l.zone = strings.Trim(l.zone, ".")
	if slash := strings.IndexByte(l.zone, '/'); slash >= 0 { // ZONE/IP, as in Courier's manual
		if err := l.setOnly(l.zone[slash+1:]); err != nil {
			return l, err
		}
		l.zone = l.zone[:slash]
	}
	if l.display == "" {
		l.display = l.zone
	}
	if !isHostName(l.zone) {
		return l, fmt.Errorf("%.100q is no DNS zone", l.zone)
	}
	if !more {
		return l, nil
	}
	variable, message, hasMessage := strings.Cut(rest, ",")
	l.message, l.hasMessage = message, hasMessage
	name, only, limited := strings.Cut(variable, "/")
	if name != "" {
		l.variable = name
	}
	if limited {
		return l, l.setOnly(only)
	}
	return l, nil
}

func (l *dnsList) setOnly(word string) (err error) {
	if l.only, err = netip.ParseAddr(word); err != nil {
		return fmt.Errorf("%.100q is no address", word)
	}
	return nil
}

// question is the name that a list has for an address: its octets or nibbles, the last
// first.
func (l dnsList) question(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	var labels []string
	if a.Is4() {
		for _, b := range a.As4() {
			labels = append(labels, decimal(uint16(b)))
		}
	} else {
		for _, b := range a.As16() {
			labels = append(labels, string("0123456789abcdef"[b>>4]), string("0123456789abcdef"[b&15]))
		}
	}
	slices.Reverse(labels)
	return strings.Join(labels, ".") + "." + l.zone + "."
}

// hit is what a list knows of an address.
type hit struct {
	address netip.Addr
	text    string
}

// ask looks an address up. -block asks for texts, too, unless it has one of its own; -allow
// if it has one; "*" stands for asking for texts alone.
func (l dnsList) ask(ctx context.Context, r *net.Resolver, a netip.Addr) (*hit, error) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	h, found, name := new(hit), false, l.question(a)
	onlyTexts := l.block && l.message == "*" && !l.only.IsValid()
	if !onlyTexts {
		addresses, err := r.LookupNetIP(ctx, "ip4", name)
		if err != nil && !isNotFound(err) {
			return nil, err
		}
		for _, b := range addresses {
			if !l.only.IsValid() || b.Unmap() == l.only {
				h.address, found = b.Unmap(), true
				break
			}
		}
		if l.only.IsValid() && !found {
			return nil, nil
		}
	}
	if onlyTexts || l.block && !l.hasMessage || !l.block && l.hasMessage && found {
		texts, err := r.LookupTXT(ctx, name)
		if err != nil && !isNotFound(err) && !found { // an address is a hit, with or without a text
			return nil, err
		}
		if len(texts) > 0 {
			h.text, found = printable(texts[0]), true
		}
	}
	if !found {
		return nil, nil
	}
	return h, nil
}

func isNotFound(err error) bool {
	var failed *net.DNSError
	return errors.As(err, &failed) && failed.IsNotFound
}

// printable is a stranger's text, fit for an environment, a line to a client, and a log.
func printable(s string) string {
	s = s[:min(len(s), 500)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return ' '
		}
		return r
	}, s)
}

// set puts a hit into an environment.
func (l dnsList) set(env map[string]string, h *hit, a netip.Addr) {
	env[l.variable+"_ZONE"] = l.display
	if h.address.IsValid() {
		env[l.variable+"_IP"] = h.address.String()
	}
	if h.text != "" {
		env[l.variable+"_TXT"] = h.text
	}
	switch {
	case !l.block:
		env[l.variable] = ""
	case l.hasMessage && l.message != "*":
		env[l.variable] = strings.ReplaceAll(l.message, "@", a.Unmap().String())
	case h.text != "":
		env[l.variable] = h.text
	default:
		env[l.variable] = "Blacklisted by " + l.display
	}
}

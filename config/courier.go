package config

import (
	"fmt"
	"strconv"
	"strings"
)

// tcpdOptions reads what couriertcpd is started with, as far as it says who may connect.
// couriertcpd has its options behind those that the scripts make of other settings, so
// that they come before them here too.
func tcpdOptions(c *Config, s string) error {
	limits := map[string]*int{"maxprocs": &c.MaxConnections, "maxperip": &c.MaxPerAddress, "maxperc": &c.MaxPerNetwork}
	for _, word := range strings.Fields(s) {
		name, value, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		limit, isLimit := limits[name]
		switch {
		case !strings.HasPrefix(word, "-"):
			return fmt.Errorf("%q is no option of couriertcpd", word)
		case isLimit:
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 || n > 1<<24 {
				return fmt.Errorf("%q: %q is no number from 0 to %d", word, value, 1<<24)
			}
			*limit = n
		case name == "access":
			c.AccessFile = value
		case name == "haproxy":
			c.Proxied = true
		case name == "nodnslookup" || name == "noidentlookup": // nothing is looked up anyway
		default:
			c.TCPDOthers = append(c.TCPDOthers, word)
		}
	}
	return nil
}

// accessFile reads IMAPACCESSFILE, before which an -access of TCPDOPTS comes.
func accessFile(c *Config, s string) error {
	if c.AccessFile == "" {
		c.AccessFile = s
	}
	return nil
}

// capability reads IMAP_CAPABILITY or, for its mechanisms alone, IMAP_CAPABILITY_TLS.
func capability(decides bool) func(*Config, string) error {
	return func(c *Config, s string) error {
		for _, word := range strings.Fields(strings.ToUpper(s)) {
			if mechanism, ok := strings.CutPrefix(word, "AUTH="); ok {
				c.AuthWords = append(c.AuthWords, mechanism)
			}
		}
		if decides {
			return words(func(c *Config) *[]string { return &c.OnlyWords }, "*")(c, s)
		}
		return nil
	}
}

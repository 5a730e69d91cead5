package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The kinds of values: each returns what reads a text into a field of Config.

func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, s string) error { *field(c) = s; return nil }
}

func choice(field func(*Config) *string, of ...string) func(*Config, string) error {
	return func(c *Config, s string) error {
		if !slices.Contains(of, s) {
			return fmt.Errorf("%q is none of %s", s, strings.Join(of, ", "))
		}
		*field(c) = s
		return nil
	}
}

func number(low, high int, field func(*Config) *int) func(*Config, string) error {
	return func(c *Config, s string) error {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < low || n > high {
			return fmt.Errorf("%q is no number from %d to %d", s, low, high)
		}
		*field(c) = n
		return nil
	}
}

func seconds(low, high int, field func(*Config) *int64) func(*Config, string) error {
	return func(c *Config, s string) error {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < low || n > high {
			return fmt.Errorf("%q is no number of seconds from %d to %d", s, low, high)
		}
		*field(c) = int64(n) * int64(time.Second)
		return nil
	}
}

// flag is true for a number that is not 0, as Courier tests it; we want to see
// that it is a number.
func flag(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, s string) error {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil {
			return fmt.Errorf("%q is neither 0 nor 1", s)
		}
		*field(c) = n != 0
		return nil
	}
}

// yes is true for a word that begins with y, as Courier tests it.
func yes(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, s string) error {
		switch {
		case s == "":
			return errors.New("is neither YES nor NO")
		case strings.ContainsAny(s[:1], "yYnN"):
			*field(c) = strings.ContainsAny(s[:1], "yY")
			return nil
		}
		return fmt.Errorf("%q is neither YES nor NO", s)
	}
}

func octal(field func(*Config) *uint32) func(*Config, string) error {
	return func(c *Config, s string) error {
		n, err := strconv.ParseUint(s, 8, 32)
		if err != nil || n > 0o777 {
			return fmt.Errorf("%q is no octal number from 0 to 777", s)
		}
		*field(c) = uint32(n)
		return nil
	}
}

func size(field func(*Config) *int64) func(*Config, string) error {
	return func(c *Config, s string) error {
		digits, unit := s, int64(1)
		if s != "" {
			if i := strings.IndexByte("KMG", s[len(s)-1]&^0x20); i >= 0 {
				digits, unit = s[:len(s)-1], 1<<(10*(i+1))
			}
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 1 || n > (1<<32-1)/unit {
			return fmt.Errorf("%q is no size below 4G (a number, with K, M or G)", s)
		}
		*field(c) = n * unit
		return nil
	}
}

// kibibytes is a number of 1,024 bytes each, 0 for an empty text.
func kibibytes(field func(*Config) *int64) func(*Config, string) error {
	return func(c *Config, s string) error {
		if s == "" {
			s = "0"
		}
		n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
		if err != nil || n < 0 || n > 1<<40 {
			return fmt.Errorf("%q is no number of KiB", s)
		}
		*field(c) = n << 10
		return nil
	}
}

// words splits at blanks; the text all means every word and leaves the field nil.
func words(field func(*Config) *[]string, all string) func(*Config, string) error {
	return func(c *Config, s string) error {
		*field(c) = nil
		if s != all {
			*field(c) = strings.Fields(strings.ToUpper(s))
		}
		return nil
	}
}

// names is a list of words as they are written.
func names(field func(*Config) *[]string) func(*Config, string) error {
	return func(c *Config, s string) error {
		*field(c) = strings.Fields(s)
		return nil
	}
}

// metrics reads ADDRESS:PORT, or unix: with a path from the root.
func metrics(c *Config, s string) error {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if !strings.HasPrefix(path, "/") {
			return fmt.Errorf("%q is no path from the root", path)
		}
	} else if s != "" {
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			return fmt.Errorf("%q is neither an address with a port, such as 127.0.0.1:9143, nor unix: and a path", s)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%q is no port", port)
		}
		if host != "" && host != "localhost" && net.ParseIP(host) == nil {
			return fmt.Errorf("%q is no address", host)
		}
	}
	c.Metrics = s
	return nil
}

// wordsOf is a list of the words of a set.
func wordsOf(field func(*Config) *[]string, of ...string) func(*Config, string) error {
	return func(c *Config, s string) error {
		*field(c) = strings.Fields(s)
		for _, word := range *field(c) {
			if !slices.Contains(of, word) {
				return fmt.Errorf("%q is none of %s", word, strings.Join(of, ", "))
			}
		}
		return nil
	}
}

// paths is a list of absolute paths.
func paths(field func(*Config) *[]string) func(*Config, string) error {
	return func(c *Config, s string) error {
		*field(c) = strings.Fields(s)
		for _, path := range *field(c) {
			if !filepath.IsAbs(path) {
				return fmt.Errorf("%q is no absolute path", path)
			}
		}
		return nil
	}
}

func namespace(c *Config, s string) error {
	if s != "plain" && s != "courier" {
		return fmt.Errorf("%q is neither plain nor courier", s)
	}
	c.CourierNames = s == "courier"
	return nil
}

// tlsVersion reads Courier's names, of which those below 1.2 mean 1.2.
func tlsVersion(c *Config, s string) error {
	switch name := strings.TrimRight(strings.ToUpper(s), "+"); name {
	case "", "TLS1", "TLSV1", "TLSV1.0", "TLSV1.1", "TLSV1.2", "SSL23":
		c.MinTLS = tls.VersionTLS12
	case "TLSV1.3":
		c.MinTLS = tls.VersionTLS13
	default:
		return fmt.Errorf("%q is neither TLSv1.2+ nor TLSv1.3+", s)
	}
	return nil
}

// verifyPeer reads TLS_VERIFYPEER, of which Courier looks at the first letter alone.
func verifyPeer(c *Config, s string) error {
	for _, word := range []string{"NONE", "PEER", "REQUIREPEER"} {
		if s != "" && strings.EqualFold(s[:1], word[:1]) {
			c.VerifyPeer = word
			return nil
		}
	}
	return fmt.Errorf("%q is none of NONE, PEER, REQUIREPEER", s)
}

// listen reads a port list of couriertcpd: [IP.]PORT, the last dot divides. The
// address of entries without one is filled in by Load.
func listen(field func(*Config) *[]string) func(*Config, string) error {
	return func(c *Config, s string) error {
		var out []string
		for entry := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ' ' }) {
			address, port := "", entry
			if dot := strings.LastIndexByte(entry, '.'); dot >= 0 {
				address, port = entry[:dot], entry[dot+1:]
			}
			if n, err := strconv.ParseUint(port, 10, 16); err != nil {
				if _, err := net.LookupPort("tcp", port); err != nil {
					return fmt.Errorf("%q is no port", port)
				}
			} else {
				port = strconv.FormatUint(n, 10)
			}
			if address != "" && address != "0" && net.ParseIP(address) == nil {
				return fmt.Errorf("%q is no address", address)
			}
			out = append(out, net.JoinHostPort(address, port))
		}
		*field(c) = out
		return nil
	}
}

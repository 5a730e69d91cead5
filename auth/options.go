package auth

import (
	"slices"
	"strconv"
	"strings"
)

// Option is one account option. Bare says that it was written without "=".
type Option struct {
	Name, Value string
	Bare        bool
}

// Options are an account's options in the order in which they are recorded.
// Names are case-sensitive; of several with one name the first counts, unless
// the option is one that repeats ("group"). Options that this server does not
// know are kept.
type Options []Option

// ParseOptions reads Courier's form: "name=value,name,name=value". There are
// no escapes; empty items are dropped.
func ParseOptions(text string) Options {
	var list Options
	for item := range strings.SplitSeq(text, ",") {
		if item == "" {
			continue
		}
		name, value, found := strings.Cut(item, "=")
		list = append(list, Option{Name: name, Value: value, Bare: !found})
	}
	return list
}

// String returns the options in Courier's form.
func (o Options) String() string {
	var b strings.Builder
	for i, option := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(option.Name)
		if !option.Bare {
			b.WriteByte('=')
			b.WriteString(option.Value)
		}
	}
	return b.String()
}

// Lookup returns the value of the first option of that name.
func (o Options) Lookup(name string) (value string, found bool) {
	i := slices.IndexFunc(o, func(option Option) bool { return option.Name == name })
	if i < 0 {
		return "", false
	}
	return o[i].Value, true
}

// All returns the values of every option of that name.
func (o Options) All(name string) []string {
	var values []string
	for _, option := range o {
		if option.Name == name {
			values = append(values, option.Value)
		}
	}
	return values
}

// Int returns the option as a number, as Courier reads it: leading digits; 1
// for a value that starts with t or y in either case, and for an empty one; 0
// for anything else and if the option is missing.
func (o Options) Int(name string) int {
	value, found := o.Lookup(name)
	if !found {
		return 0
	}
	if value == "" {
		return 1
	}
	if n := leadingInt(value); n != 0 {
		return n
	}
	if strings.ContainsRune("tTyY", rune(value[0])) {
		return 1
	}
	return 0
}

// leadingInt is C's atoi, saturating.
func leadingInt(s string) int {
	s = strings.TrimLeft(s, " \t\r\n\v\f")
	end := 0
	if end < len(s) && (s[end] == '-' || s[end] == '+') {
		end++
	}
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, _ := strconv.ParseInt(s[:end], 10, 32)
	return int(n)
}

// Merge returns the options with those of defaults added whose name is not
// among them (DEFAULTOPTIONS). Neither argument is changed.
func (o Options) Merge(defaults Options) Options {
	merged := slices.Clip(slices.Clone(o))
	for _, option := range defaults {
		if _, found := o.Lookup(option.Name); !found {
			merged = append(merged, option)
		}
	}
	return merged
}

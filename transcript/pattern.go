package transcript

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// word is what a variable can hold.
const word = `[^\s()\[\]]+`

// match compares a line with what is expected. It returns the variables that
// the line sets, and whether it fits; vars is not changed.
func match(pattern, line string, vars map[string]string) (map[string]string, bool, error) {
	m := matcher{vars: vars, first: make(map[string]int)}
	re, err := m.compile(pattern)
	if err != nil {
		return nil, false, err
	}
	found := re.FindStringSubmatch(line)
	if found == nil {
		return nil, false, nil
	}
	set := make(map[string]string)
	for name, group := range m.first {
		set[name] = found[group]
	}
	for _, same := range m.again {
		if found[same.group] != set[same.name] {
			return nil, false, nil
		}
	}
	for _, list := range m.lists {
		if !slices.Equal(sortedFields(found[list.group]), list.words) {
			return nil, false, nil
		}
	}
	return set, true, nil
}

type matcher struct {
	vars   map[string]string
	groups int
	first  map[string]int // a new variable's group
	again  []struct {
		name  string
		group int
	}
	lists []struct {
		words []string
		group int
	}
}

func (m *matcher) compile(pattern string) (*regexp.Regexp, error) {
	var re strings.Builder
	re.WriteString(`(?s)\A`)
	for pattern != "" {
		switch {
		case strings.HasPrefix(pattern, "..."):
			re.WriteString(`.*?`)
			pattern = pattern[3:]
		case strings.HasPrefix(pattern, "(~"):
			end := strings.IndexByte(pattern, ')')
			if end < 0 {
				return nil, fmt.Errorf("a list that does not end: %q", pattern)
			}
			m.groups++
			m.lists = append(m.lists, struct {
				words []string
				group int
			}{sortedFields(expand(pattern[2:end], m.vars)), m.groups})
			re.WriteString(`\(([^()]*)\)`)
			pattern = pattern[end+1:]
		case pattern[0] == '$':
			name, rest := variable(pattern)
			m.variable(&re, name)
			pattern = rest
		default:
			re.WriteString(regexp.QuoteMeta(pattern[:1]))
			pattern = pattern[1:]
		}
	}
	re.WriteString(`\z`)
	return regexp.Compile(re.String())
}

func (m *matcher) variable(re *strings.Builder, name string) {
	if name == "" {
		re.WriteString(`\$`)
		return
	}
	if value, ok := m.vars[name]; ok {
		re.WriteString(regexp.QuoteMeta(value))
		return
	}
	m.groups++
	re.WriteString(`(` + word + `)`)
	if _, ok := m.first[name]; !ok {
		m.first[name] = m.groups
		return
	}
	m.again = append(m.again, struct {
		name  string
		group int
	}{name, m.groups})
}

// variable cuts $name or ${name} off s, which begins with "$"; $$ and a "$"
// before anything else give "".
func variable(s string) (name, rest string) {
	if strings.HasPrefix(s, "$$") {
		return "", s[2:]
	}
	if strings.HasPrefix(s, "${") {
		if end := strings.IndexByte(s, '}'); end > 0 {
			return s[2:end], s[end+1:]
		}
	}
	i := 1
	for i < len(s) && (s[i] == '_' || 'a' <= s[i] && s[i] <= 'z' || 'A' <= s[i] && s[i] <= 'Z' || i > 1 && '0' <= s[i] && s[i] <= '9') {
		i++
	}
	return s[1:i], s[i:]
}

// expand puts values in the place of variables; one without a value stays.
func expand(s string, vars map[string]string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			return b.String() + s
		}
		b.WriteString(s[:i])
		name, rest := variable(s[i:])
		value, ok := vars[name]
		switch {
		case ok:
			b.WriteString(value)
		case name == "":
			b.WriteByte('$')
		default:
			b.WriteString(s[i : len(s)-len(rest)])
		}
		s = rest
	}
}

func sortedFields(s string) []string {
	f := strings.Fields(s)
	slices.Sort(f)
	return f
}

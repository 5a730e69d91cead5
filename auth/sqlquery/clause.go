package sqlquery

import (
	"fmt"
	"strings"
)

// Dialect is how a database's SQL is written, as far as it matters here.
type Dialect struct {
	Parameter     func(n int) string // the nth parameter, from 1 on
	Backslash     bool               // "\" in a quoted text means something
	DoubleQuoted  bool               // "..." is a text, not a name
	HashIsComment bool
}

// Query is a clause of the settings, ready to run: each quoted text that had a
// substitution is a parameter.
type Query struct {
	Text string
	args []template
}

// template is a quoted text: pieces, of which every second one is a name.
type template []string

// Arguments are the query's parameters with the values of the names; an unknown name is
// empty.
func (q *Query) Arguments(values map[string]string) []any {
	args := make([]any, len(q.args))
	for i, t := range q.args {
		var b strings.Builder
		for j, piece := range t {
			if j%2 == 1 {
				piece = values[piece]
			}
			b.WriteString(piece)
		}
		args[i] = b.String()
	}
	return args
}

// Compile reads a clause of the settings. A $(name) must stand within quotes.
func (d Dialect) Compile(clause string) (*Query, error) {
	c := compiler{d: d, in: clause, q: new(Query)}
	for c.at < len(c.in) {
		if err := c.step(); err != nil {
			return nil, err
		}
	}
	c.q.Text = c.out.String()
	return c.q, nil
}

type compiler struct {
	d   Dialect
	in  string
	at  int
	out strings.Builder
	q   *Query
}

// step reads one token: a quoted text, a name in quotes, a comment, or an octet.
func (c *compiler) step() error {
	rest := c.in[c.at:]
	switch {
	case rest[0] == '\'' || rest[0] == '"' && c.d.DoubleQuoted:
		return c.text(rest[0])
	case rest[0] == '"' || rest[0] == '`':
		return c.upTo(rest[:1], rest[:1])
	case strings.HasPrefix(rest, "/*"):
		return c.upTo("/*", "*/")
	case strings.HasPrefix(rest, "--"):
		return c.upTo("--", "\n")
	case rest[0] == '#' && c.d.HashIsComment:
		return c.upTo("#", "\n")
	case strings.HasPrefix(rest, "$("):
		return fmt.Errorf("%.40q: a substitution must stand within quotes, as in '$(local_part)'", rest)
	}
	c.out.WriteByte(rest[0])
	c.at++
	return nil
}

// upTo copies what begins and ends like this, as it is. No substitution may be in it.
func (c *compiler) upTo(begin, end string) error {
	rest := c.in[c.at:]
	n := strings.Index(rest[len(begin):], end)
	switch {
	case n >= 0:
		n += len(begin) + len(end)
	case end == "\n":
		n = len(rest)
	default:
		return fmt.Errorf("%.40q: it does not end", rest)
	}
	if strings.Contains(rest[:n], "$(") {
		return fmt.Errorf("%.40q: a substitution must stand within the quotes of a text", rest)
	}
	c.out.WriteString(rest[:n])
	c.at += n
	return nil
}

// text reads a quoted text. One with a substitution becomes a parameter.
func (c *compiler) text(quote byte) error {
	begin := c.at
	var value strings.Builder
	t := template{}
	for c.at++; c.at < len(c.in); {
		switch ch := c.in[c.at]; {
		case ch == quote && c.at+1 < len(c.in) && c.in[c.at+1] == quote:
			value.WriteByte(quote)
			c.at += 2
		case ch == quote:
			c.at++
			c.quoted(c.in[begin:c.at], append(t, value.String()))
			return nil
		case ch == '\\' && c.d.Backslash && c.at+1 < len(c.in):
			value.WriteByte(unescape(c.in[c.at+1]))
			c.at += 2
		case strings.HasPrefix(c.in[c.at:], "$("):
			name, rest, ok := strings.Cut(c.in[c.at+2:], ")")
			if !ok {
				return fmt.Errorf("%.40q: the substitution does not end", c.in[c.at:])
			}
			t = append(t, value.String(), name)
			value.Reset()
			c.at = len(c.in) - len(rest)
		default:
			value.WriteByte(ch)
			c.at++
		}
	}
	return fmt.Errorf("%.40q: the quotes are not closed", c.in[begin:])
}

// unescape is what an octet behind a backslash stands for in MySQL.
func unescape(b byte) byte {
	if i := strings.IndexByte("0nrtbZ", b); i >= 0 {
		return "\x00\n\r\t\b\x1a"[i]
	}
	return b
}

func (c *compiler) quoted(source string, t template) {
	if len(t) == 1 {
		c.out.WriteString(source)
		return
	}
	c.q.args = append(c.q.args, t)
	c.out.WriteString(c.d.Parameter(len(c.q.args)))
}

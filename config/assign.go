package config

import (
	"fmt"
	"strings"
)

// Assignment is one NAME=value of a file.
type Assignment struct {
	Name, Value string
	File        string
	Line        int
}

// Mistake is something wrong in a file or a value: where, and what to mend.
type Mistake struct {
	File string // or "environment"
	Line int    // 0 where there is none
	Text string
}

func (m Mistake) Error() string { return m.String() }

func (m Mistake) String() string {
	if m.Line == 0 {
		return m.File + ": " + m.Text
	}
	return fmt.Sprintf("%s:%d: %s", m.File, m.Line, m.Text)
}

// MaxFile bounds a settings file in bytes.
const MaxFile = 1 << 20

// parseAssignments reads the text of a file of shell assignments: quotes of
// both kinds, backslashes, comments, $NAME and ${NAME} of what was assigned
// before (known, which may be nil, comes first and is not changed). Anything
// else that a shell would run is a mistake; the other lines count.
func parseAssignments(file, text string, known map[string]string) ([]Assignment, []Mistake) {
	r := reader{file: file, text: text, line: 1, known: make(map[string]string)}
	for k, v := range known {
		r.known[k] = v
	}
	for r.pos < len(r.text) {
		r.statement()
	}
	return r.out, r.mistakes
}

// reader walks through a file's text once.
type reader struct {
	file, text string
	pos, line  int
	known      map[string]string
	out        []Assignment
	mistakes   []Mistake
}

func (r *reader) peek() byte {
	if r.pos < len(r.text) {
		return r.text[r.pos]
	}
	return 0
}

func (r *reader) next() byte {
	c := r.peek()
	if r.pos < len(r.text) {
		r.pos++
	}
	if c == '\n' {
		r.line++
	}
	return c
}

func (r *reader) mistake(line int, format string, args ...any) {
	r.mistakes = append(r.mistakes, Mistake{r.file, line, fmt.Sprintf(format, args...)})
}

func (r *reader) skipLine() {
	for r.pos < len(r.text) && r.next() != '\n' {
	}
}

// statement reads one assignment, or what stands between two.
func (r *reader) statement() {
	switch c := r.peek(); {
	case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';':
		r.next()
		return
	case c == '#':
		r.skipLine()
		return
	}
	line, start := r.line, r.pos
	for isNameByte(r.peek(), r.pos > start) {
		r.pos++
	}
	name := r.text[start:r.pos]
	if name == "export" && (r.peek() == ' ' || r.peek() == '\t') {
		return
	}
	if name == "" || r.peek() != '=' {
		r.skipLine()
		rest, _, _ := strings.Cut(r.text[start:], "\n")
		r.mistake(line, "not an assignment: %.60q; write NAME=value, or # before a comment", rest)
		return
	}
	r.next()
	value, err := r.value()
	if err != "" {
		r.mistake(line, "%s: %s", name, err)
		return
	}
	r.known[name] = value
	r.out = append(r.out, Assignment{name, value, r.file, line})
}

// value reads what follows the "=", up to a blank, a ";" or the end of the line.
func (r *reader) value() (value, mistake string) {
	var b strings.Builder
	for {
		switch c := r.peek(); c {
		case 0, '\n', ' ', '\t', '\r', ';':
			return b.String(), r.afterValue()
		case '\'':
			r.next()
			if mistake := r.quoted(&b, '\''); mistake != "" {
				return "", mistake
			}
		case '"':
			r.next()
			if mistake := r.quoted(&b, '"'); mistake != "" {
				return "", mistake
			}
		case '\\':
			r.next()
			if c := r.next(); c != '\n' && c != 0 {
				b.WriteByte(c)
			}
		case '$':
			if mistake := r.expand(&b); mistake != "" {
				r.skipLine()
				return "", mistake
			}
		case '`', '(', ')', '&', '|', '<', '>':
			r.skipLine()
			return "", fmt.Sprintf("%q is for a shell; quote the value", c)
		default:
			b.WriteByte(r.next())
		}
	}
}

// afterValue complains of a second word, which a shell would run as a command
// with the assignment in its environment.
func (r *reader) afterValue() (mistake string) {
	for r.peek() == ' ' || r.peek() == '\t' || r.peek() == '\r' {
		r.next()
	}
	switch c := r.peek(); {
	case c == 0 || c == '\n' || c == ';' || c == '#':
		return ""
	case isNameByte(c, false):
		rest, _, _ := strings.Cut(r.text[r.pos:], "\n")
		if before, _, ok := strings.Cut(rest, "="); ok && !strings.ContainsAny(before, " \t") {
			return "" // A=1 B=2
		}
	}
	r.skipLine()
	return "a value with blanks must stand in quotes"
}

func (r *reader) quoted(b *strings.Builder, quote byte) (mistake string) {
	start := r.line
	for r.pos < len(r.text) {
		c := r.peek()
		switch {
		case c == quote:
			r.next()
			return ""
		case quote == '"' && c == '$':
			if mistake := r.expand(b); mistake != "" {
				return mistake
			}
		case quote == '"' && c == '`':
			return "a command in backquotes is not run; write its result"
		case quote == '"' && c == '\\':
			r.next()
			switch e := r.next(); e {
			case '$', '`', '"', '\\':
				b.WriteByte(e)
			case '\n':
			default:
				b.WriteByte('\\')
				b.WriteByte(e)
			}
		default:
			b.WriteByte(r.next())
		}
	}
	return fmt.Sprintf("the %c opened on line %d is never closed", quote, start)
}

// expand reads $NAME or ${NAME}. A name that nobody assigned is empty, as in a
// shell; a "$" before anything else is itself.
func (r *reader) expand(b *strings.Builder) (mistake string) {
	r.next()
	braces := r.peek() == '{'
	if braces {
		r.next()
	}
	start := r.pos
	for isNameByte(r.peek(), r.pos > start) {
		r.pos++
	}
	name := r.text[start:r.pos]
	switch {
	case r.peek() == '(' && name == "":
		return "a command in $( ) is not run; write its result"
	case braces && (name == "" || r.peek() != '}'):
		return "only ${NAME} is understood, no other expansion"
	case braces:
		r.next()
	case name == "":
		b.WriteByte('$')
		return ""
	}
	b.WriteString(r.known[name])
	return ""
}

func isNameByte(c byte, inside bool) bool {
	return c == '_' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || inside && '0' <= c && c <= '9'
}

package transcript

import (
	"fmt"
	"strings"
)

// Script is a transcript as it was read.
type Script struct {
	File  string
	Needs []string // what a server must have: "login"
	steps []step
}

// verb is what a step does.
type verb byte

// The verbs; those that are also marks of a line stand as in the file.
const (
	send     verb = ':'
	sendRaw  verb = '='
	expect   verb = '>'
	anyOrder verb = '~'
	never    verb = '!'
	login    verb = 'l'
	connect  verb = 'c'
	closed   verb = 'x'
	deliver  verb = 'd'
	secure   verb = 's'
)

// step is one thing to do.
type step struct {
	line   int
	verb   verb
	client string
	text   string
	server string // only for the server of this name; "" for all
}

// Parse reads a transcript. The error names file and line.
func Parse(file, text string) (*Script, error) {
	p := &parser{script: &Script{File: file}}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		p.line = i + 1
		if err := p.read(line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, p.line, err)
		}
	}
	if p.server != "" {
		return nil, fmt.Errorf("%s: the section \"server %s\" has no end", file, p.server)
	}
	if len(p.script.steps) == 0 {
		return nil, fmt.Errorf("%s: nothing to do", file)
	}
	return p.script, nil
}

type parser struct {
	script *Script
	line   int
	server string
}

func (p *parser) add(v verb, client, text string) {
	p.script.steps = append(p.script.steps, step{line: p.line, verb: v, client: client, text: text, server: p.server})
}

func (p *parser) read(line string) error {
	switch {
	case strings.TrimSpace(line) == "" || line[0] == '#':
		return nil
	case line[0] == '|':
		return p.proceed("", line[1:])
	}
	word, rest, _ := strings.Cut(line, " ")
	if name, mark := word[:len(word)-1], word[len(word)-1]; len(name) > 0 && strings.IndexByte(":=>~!|", mark) >= 0 && isClient(name) {
		if mark == '|' {
			return p.proceed(name, line[len(word):])
		}
		p.add(verb(mark), name, rest)
		return nil
	}
	return p.directive(word, rest)
}

// proceed adds a line to the step above.
func (p *parser) proceed(client, text string) error {
	if len(p.script.steps) == 0 {
		return fmt.Errorf("%q goes on with nothing", "|")
	}
	last := &p.script.steps[len(p.script.steps)-1]
	if last.client != client || (client == "") != (last.verb == deliver) {
		return fmt.Errorf("%q goes on with a line of another kind", client+"|")
	}
	text = strings.TrimPrefix(text, " ")
	if last.verb == deliver {
		last.text += "\n" + text
	} else {
		last.text += "\r\n" + text
	}
	return nil
}

func (p *parser) directive(word, rest string) error {
	switch word {
	case "login", "connect", "closed", "tls":
		v := map[string]verb{"login": login, "connect": connect, "closed": closed, "tls": secure}[word]
		names := strings.Fields(rest)
		if len(names) == 0 {
			return fmt.Errorf("%s whom?", word)
		}
		for _, name := range names {
			if !isClient(name) {
				return fmt.Errorf("%q cannot be a client's name: a capital letter, then letters or digits", name)
			}
			p.add(v, name, "")
		}
	case "deliver":
		if rest == "" {
			return fmt.Errorf("deliver into which mailbox?")
		}
		p.add(deliver, "", rest)
	case "needs":
		p.script.Needs = append(p.script.Needs, strings.Fields(rest)...)
	case "server":
		name, reason, ok := strings.Cut(rest, ":")
		if !ok || strings.TrimSpace(reason) == "" || p.server != "" {
			return fmt.Errorf("want \"server NAME: REASON\", outside another section")
		}
		p.server = strings.TrimSpace(name)
	case "end":
		if p.server == "" {
			return fmt.Errorf("end of what?")
		}
		p.server = ""
	default:
		return fmt.Errorf("%q is neither a directive nor a client's line", word)
	}
	return nil
}

func isClient(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('A' <= c && c <= 'Z' || i > 0 && ('a' <= c && c <= 'z' || '0' <= c && c <= '9')) {
			return false
		}
	}
	return s != ""
}

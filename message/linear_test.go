package message

import (
	"strings"
	"testing"
	"time"
)

// TestLinear: no text that repeats what is hard to read takes more than its length,
// nearly. A function that is quadratic takes minutes here.
func TestLinear(t *testing.T) {
	const size = 256 << 10
	functions := map[string]func(s string){
		"addresses":    func(s string) { ParseAddresses([]byte(s)) },
		"date":         func(s string) { ParseDate(s) },
		"envelope":     func(s string) { ParseEnvelope([]byte(s)) },
		"words":        func(s string) { DecodeHeader(s) },
		"base subject": func(s string) { BaseSubject(s) },
		"parameter":    func(s string) { DecodeParam(Param{"x*", s}) },
		"content type": func(s string) { parseContentType([]byte("a/b" + s)) },
		"disposition":  func(s string) { parseDisposition([]byte("a" + s)) },
		"languages":    func(s string) { parseLanguages([]byte(s)) },
		"structure":    func(s string) { Parse(strings.NewReader(s), int64(len(s))) },
	}
	for _, pattern := range []string{
		"[]", "[x] ", "re:", "[fwd:", "(fwd)", "(", "((", "(a)", `\(`, `"`, `"\`, `\"`, "a,", "a b ", "<", "<@a,", "<@a", "@a:", "a:;", "a:", "a@b ", "a@[",
		"=?", "=?a?q?b", "=?utf-8?q?a?=", "=?utf-8?b?YQ==?= ", " \n", "\n", "; a*0=b", "; a*1=b", `; a="b`, "To: a\n", ": ", "%41", "é", "\xff", "+AGE-",
	} {
		text := strings.Repeat(pattern, size/len(pattern))
		for name, f := range functions {
			start := time.Now()
			f(text)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%s of %q: %v", name, pattern, took)
			}
		}
	}
}

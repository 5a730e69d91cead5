package password

import (
	"slices"
	"strings"

	"postrider/sasl"
)

// ForMechanism returns what a stored password gives a mechanism that proves it
// without sending it: the password in clear, for one that is stored so, or keys of
// SCRAM that were made for this mechanism. ok is false if it is good for neither.
func ForMechanism(stored, mechanism string) (clear, prepared string, ok bool) {
	if clear, ok := inClear(stored); ok {
		return clear, "", true
	}
	if name, ok := keysOf(stored); ok && name == mechanism {
		return "", stored, true
	}
	return "", "", false
}

// Mechanisms are those that ForMechanism has something for.
func Mechanisms(stored string) []string {
	if _, ok := inClear(stored); ok {
		return slices.Concat(sasl.SCRAMMechanisms(), sasl.CRAMMechanisms())
	}
	if name, ok := keysOf(stored); ok {
		return []string{name}
	}
	return nil
}

// inClear is the password of a form that holds it.
func inClear(stored string) (password string, ok bool) {
	for _, word := range []string{"{PLAIN}", "{CLEARTEXT}", "{CLEAR}"} {
		if len(stored) > len(word) && strings.EqualFold(stored[:len(word)], word) {
			return stored[len(word):], true
		}
	}
	return "", false
}

// keysOf is the mechanism whose keys a stored text is.
func keysOf(stored string) (mechanism string, ok bool) {
	const word = "{SCRAM-"
	if !strings.HasPrefix(stored, word[1:]) && (len(stored) < len(word) || !strings.EqualFold(stored[:len(word)], word)) {
		return "", false
	}
	mechanism, _, err := sasl.ParseSCRAM(stored)
	return mechanism, err == nil
}

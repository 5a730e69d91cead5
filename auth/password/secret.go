package password

import (
	"strings"

	"postrider/sasl"
)

// ForMechanism returns what a stored password gives a mechanism that proves it
// without sending it: the password in clear, for one that is stored so, or keys of
// SCRAM that were made for this mechanism. ok is false if it is good for neither.
func ForMechanism(stored, mechanism string) (clear, prepared string, ok bool) {
	scheme, value, braced := strings.Cut(strings.TrimPrefix(stored, "{"), "}")
	if braced && strings.HasPrefix(stored, "{") {
		switch strings.ToUpper(scheme) {
		case "PLAIN", "CLEARTEXT", "CLEAR":
			return value, "", value != ""
		}
	}
	if !strings.HasPrefix(stored, "SCRAM-") && !strings.HasPrefix(strings.ToUpper(stored), "{SCRAM-") {
		return "", "", false
	}
	if name, _, err := sasl.ParseSCRAM(stored); err != nil || name != mechanism {
		return "", "", false
	}
	return "", stored, true
}

// Mechanisms are those that ForMechanism has something for.
func Mechanisms(stored string) []string {
	var names []string
	if !strings.HasPrefix(stored, "{") && !strings.HasPrefix(stored, "SCRAM-") {
		return nil
	}
	for _, name := range append(sasl.SCRAMMechanisms(), sasl.CRAMMechanisms()...) {
		if _, _, ok := ForMechanism(stored, name); ok {
			names = append(names, name)
		}
	}
	return names
}

package config

import "strings"

// shipped says why a value of Courier's files is passed over, "" if it counts: it is
// what Courier shipped where it could do no better, and nobody's choice.
func shipped(a Assignment) string {
	if a.Name == "IMAP_ENHANCEDIDLE" && strings.TrimSpace(a.Value) == "0" {
		return "0 is what Courier shipped, so clients are told of changes at once nevertheless; " +
			"to look every IMAP_IDLE_TIMEOUT instead, set it in postrider.conf or the environment"
	}
	return ""
}

package verify

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// token is a word that no other message has.
func token() string {
	var b [8]byte
	rand.Read(b[:]) // it never fails
	return "verify-idle-" + hex.EncodeToString(b[:])
}

// letter is a test message.
func letter(token string, n int) string {
	return strings.ReplaceAll(fmt.Sprintf(`From: verify-idle <postmaster@localhost>
To: test account <postmaster@localhost>
Subject: %s message %d
Date: %s
Message-ID: <%d.%s@localhost>

This message tests whether changes are told to every client. It is removed
when the test ends.
`, token, n, time.Now().Format("Mon, 2 Jan 2006 15:04:05 -0700"), n, token), "\n", "\r\n")
}

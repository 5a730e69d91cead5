package session

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The zone of INTERNALDATE and of SEARCH is the server's: here UTC.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	goleak.VerifyTestMain(m)
}

package main

import (
	"testing"
	"time"

	"postrider/config"
)

// Where nothing notifies, changes are seen within seconds, unless the administrator chose
// the old interval.
func TestLookInterval(t *testing.T) {
	for _, c := range []struct {
		enhanced bool
		timeout  time.Duration
		want     time.Duration
	}{
		{true, time.Minute, 5 * time.Second},
		{true, time.Second, time.Second},
		{false, time.Minute, time.Minute},
		{false, time.Second, time.Second},
	} {
		if got := lookInterval(&config.Config{EnhancedIdle: c.enhanced, PollInterval: c.timeout}); got != c.want {
			t.Errorf("enhanced %v, IMAP_IDLE_TIMEOUT %v: looks every %v", c.enhanced, c.timeout, got)
		}
	}
}

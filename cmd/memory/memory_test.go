package memory

import "testing"

// Memory is given back when nothing happens and much is loose, and only then.
func TestWastefulMemory(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		what        string
		before, now memoryUse
		want        bool
	}{
		{"after a burst", memoryUse{allocated: 900 * mb}, memoryUse{901 * mb, 30 * mb, 40 * mb, 200 * mb}, true},
		{"at work", memoryUse{allocated: 900 * mb}, memoryUse{990 * mb, 30 * mb, 40 * mb, 200 * mb}, false},
		{"all in use", memoryUse{allocated: 900 * mb}, memoryUse{901 * mb, 5 * mb, 10 * mb, 200 * mb}, false},
		{"a sliver of much", memoryUse{allocated: 900 * mb}, memoryUse{901 * mb, 10 * mb, 10 * mb, 2000 * mb}, false},
	} {
		if got := c.now.calm(c.before) && c.now.wasteful(); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
	if m := readMemory(); m.held == 0 || m.allocated == 0 || m.garbage > m.held {
		t.Errorf("%+v", m)
	}
}

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

// Memory is given back three times once it is calm after work, and every ten minutes where
// somebody is always at work, if there is enough to give.
func TestWhenMemoryIsGivenBack(t *testing.T) {
	const held = 200 << 20
	wasteful, thrifty := memoryUse{idle: 100 << 20, held: held}, memoryUse{idle: 8 << 20, held: held}
	for _, c := range []struct {
		what      string
		use       memoryUse
		allocated uint64 // in each minute
		want      string // g: given back
	}{
		{"calm", wasteful, 1 << 20, "ggg............................."},
		{"always at work", wasteful, 1 << 30, ".........g.........g.........g.."},
		{"calm, and nothing to give", thrifty, 0, "................................"},
		{"at work, and nothing to give", thrifty, 1 << 30, "................................"},
	} {
		k, got := keeper{left: collections}, ""
		for range c.want {
			c.use.allocated += c.allocated
			if k.look(c.use) {
				got += "g"
			} else {
				got += "."
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

package serve

import (
	"net/netip"
	"testing"
	"time"
)

var (
	jane      = netip.MustParseAddr("192.0.2.1")
	neighbour = netip.MustParseAddr("192.0.2.77")
	stranger  = netip.MustParseAddr("198.51.100.9")
)

// door is places with a clock that stands, and who had to go.
type door struct {
	*places
	t    *testing.T
	time time.Time
	gone []string
}

func newDoor(t *testing.T, l limits) *door {
	d := &door{places: newPlaces(l), t: t, time: time.Unix(1, 0)}
	d.now = func() time.Time { return d.time }
	return d
}

func (d *door) enters(name string, from netip.Addr) *place {
	d.t.Helper()
	in, full := d.enter(from, func() { d.gone = append(d.gone, name) })
	if full != "" {
		d.t.Fatalf("%s is refused: %s", name, full)
	}
	return in
}

func (d *door) isRefused(name string, from netip.Addr, want string) {
	d.t.Helper()
	if _, full := d.enter(from, func() {}); full != want {
		d.t.Errorf("%s: got %q, want %q", name, full, want)
	}
}

func (d *door) want(open, strangers int, gone ...string) {
	d.t.Helper()
	if s := d.stats(); s.Open != open || s.Strangers != strangers {
		d.t.Errorf("got %+v, want %d open, %d of them strangers", s, open, strangers)
	}
	if len(gone) != len(d.gone) {
		d.t.Fatalf("gone are %v, want %v", d.gone, gone)
	}
	for i := range gone {
		if gone[i] != d.gone[i] {
			d.t.Fatalf("gone are %v, want %v", d.gone, gone)
		}
	}
}

func TestStrangersOfTheAddressMakeWay(t *testing.T) {
	d := newDoor(t, limits{perAddress: 3})
	d.settle(d.enters("session", jane))
	first := d.enters("first", jane)
	d.enters("second", jane)
	other := d.enters("other", neighbour)
	d.enters("third", jane)
	d.want(4, 3, "first")
	if d.settle(first) {
		t.Error("a place that was given away is settled")
	}
	d.leave(first) // counts for nothing
	d.want(4, 3, "first")
	d.enters("fourth", jane)
	d.want(4, 3, "first", "second")
	if !d.settle(other) {
		t.Error("an address pays for another")
	}
}

func TestSessionsDoNotMakeWay(t *testing.T) {
	d := newDoor(t, limits{perAddress: 2, perNetwork: 3, all: 4})
	d.settle(d.enters("one", jane))
	d.settle(d.enters("two", jane))
	d.isRefused("a third of the address", jane, fullAddress)
	d.settle(d.enters("three", neighbour))
	d.isRefused("a fourth of the network", neighbour, fullNetwork)
	d.settle(d.enters("four", stranger))
	d.isRefused("a fifth", netip.MustParseAddr("203.0.113.5"), fullServer)
	d.want(4, 0)
	if s := d.stats(); s.Refused != 3 || s.Served != 4 {
		t.Errorf("%+v", s)
	}
}

// A full server lets go of who had time enough to log in, wherever that is from.
func TestFullServer(t *testing.T) {
	d := newDoor(t, limits{all: 3})
	for _, name := range []string{"one", "two", "three"} {
		d.enters(name, stranger)
	}
	d.isRefused("early", jane, fullServer)
	d.time = d.time.Add(patience)
	d.settle(d.enters("late", jane))
	d.want(3, 2, "one")
}

func TestLeaveFreesThePlace(t *testing.T) {
	d := newDoor(t, limits{all: 2, perAddress: 1})
	d.settle(d.enters("a", netip.MustParseAddr("2001:db8::1")))
	d.isRefused("the same network of 64 bits", netip.MustParseAddr("2001:db8::2"), fullAddress)
	b := d.enters("b", netip.MustParseAddr("::ffff:192.0.2.1"))
	d.settle(b)
	d.leave(b)
	d.settle(d.enters("the same in its own form", jane))
	d.want(2, 0)
	if len(d.address) != 2 || len(d.network) != 2 {
		t.Error("addresses that are gone are kept")
	}
}

package memory

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The runtime keeps what a burst of logins took, twice what is in use and more, and a
// server on which nothing happens begins no collection that would find out. So, after a
// minute in which little was allocated, if much of what the process holds is not in use, a
// collection is run and the rest given back to the system; twice more in the next two
// minutes, since each collection halves a goroutine's stack that is too large. Then nothing
// is done until there was work again.
//
// On a server where there is always somebody at work no minute is calm. There it is done
// every ten minutes at most, if it is worth it. A collection costs some milliseconds of
// processor for ten megabytes in use, and what was given back in vain as much when it is
// taken again: some hundredths of a percent of the time.

const (
	lookAtMemory = time.Minute
	calm         = 4 << 20  // bytes allocated in a minute, and a sixteenth of all: less is no work
	worthwhile   = 16 << 20 // bytes to give back, if they are also a sixth of all
	collections  = 3
	busyLooks    = 10 // from one collection to the next where no minute is calm
)

// memoryUse is what the runtime says of its memory, in bytes.
type memoryUse struct {
	allocated uint64 // since the start
	idle      uint64 // held, and neither in use nor known to be garbage
	garbage   uint64 // allocated since the last collection, or dead
	held      uint64 // from the system
}

func readMemory() memoryUse {
	s := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(s)
	v := func(i int) uint64 { return s[i].Value.Uint64() }
	return memoryUse{allocated: v(0), idle: v(1), garbage: max(v(2), v(3)) - v(3), held: v(4) - v(5)}
}

// calm says whether little was allocated since a look before.
func (m memoryUse) calm(before memoryUse) bool {
	return m.allocated-before.allocated < calm+m.held/16
}

// wasteful says whether memory is to be given back.
func (m memoryUse) wasteful() bool {
	loose := m.idle + m.garbage
	return loose > worthwhile && loose > m.held/6
}

// keeper decides when memory is given back.
type keeper struct {
	before memoryUse
	left   int // collections to come while it is calm
	busy   int // looks since the last collection
}

// look says whether to give memory back now.
func (k *keeper) look(now memoryUse) bool {
	quiet := now.calm(k.before)
	k.before = now
	k.busy++
	switch {
	case !quiet:
		k.left = collections
		if k.busy < busyLooks || !now.wasteful() {
			return false
		}
	case k.left == 0, k.left == collections && !now.wasteful():
		return false
	default:
		k.left--
	}
	k.busy = 0
	return true
}

// GiveBack gives memory back until ctx ends.
func GiveBack(ctx context.Context) {
	t := time.NewTicker(lookAtMemory)
	defer t.Stop()
	k := keeper{before: readMemory(), left: collections}
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		if k.look(readMemory()) {
			debug.FreeOSMemory()
		}
	}
}

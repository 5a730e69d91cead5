package maildir

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Unique makes the unique parts of file names for one process. Its names sort
// by time, also those made in one microsecond or while the clock was set back.
type Unique struct {
	host string
	pid  int
	now  func() time.Time

	mu    sync.Mutex
	last  time.Time
	n     uint64
	locks map[lockID]bool // of Courier's kind that this process holds
}

// maxHost bounds the host's part of a name in bytes.
const maxHost = 64

// NewUnique returns a source of names. host and pid should tell processes apart
// that write to one Maildir. A nil now is time.Now.
func NewUnique(host string, pid int, now func() time.Time) *Unique {
	if now == nil {
		now = time.Now
	}
	host = hostEscapes.Replace(host)
	if len(host) > maxHost {
		host = host[:maxHost]
	}
	if host == "" {
		host = "localhost"
	}
	return &Unique{host: host, pid: pid, now: now}
}

// hostEscapes keeps the separators of file names out of the host's name, in the
// way that the format's inventor gave.
var hostEscapes = strings.NewReplacer("/", `\057`, ":", `\072`, ",", `\054`, "\x00", "")

// stamp returns a moment and a number that were never returned before.
func (u *Unique) stamp() (time.Time, uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	t := u.now().Truncate(time.Microsecond)
	if !t.After(u.last) {
		t = u.last.Add(time.Microsecond)
	}
	u.last = t
	u.n++
	return t, u.n - 1
}

// Temp returns a name for a file in tmp.
func (u *Unique) Temp() string {
	t, n := u.stamp()
	return fmt.Sprintf("%d.M%06dP%d_%d.%s", t.Unix(), t.Nanosecond()/1000, u.pid, n, u.host)
}

// Base returns a base name for a file with this device and inode. Sizes below
// 0 are left out.
func (u *Unique) Base(dev, ino uint64, stored, served int64, verbatim bool) string {
	t, n := u.stamp()
	var b strings.Builder
	fmt.Fprintf(&b, "%d.M%06dP%dV%016XI%016X_%d.%s", t.Unix(), t.Nanosecond()/1000, u.pid, dev, ino, n, u.host)
	if stored >= 0 {
		fmt.Fprintf(&b, ",S=%d", stored)
	}
	if served >= 0 {
		fmt.Fprintf(&b, ",W=%d", served)
	}
	if verbatim {
		b.WriteString("," + verbatimField)
	}
	return b.String()
}

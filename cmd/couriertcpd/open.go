package couriertcpd

import (
	"maps"
	"net/netip"
	"slices"
)

// Access is the rules of an access file, for a server that accepts connections by itself.
// It does not change.
type Access struct{ rules *rules }

// OpenAccess reads the text of an access file, or of all files in a directory. Notes are
// lines that are no rules, and are passed over.
func OpenAccess(name string) (a *Access, notes []error, err error) {
	r, _, notes, err := readAccess(name)
	if err != nil {
		return nil, nil, err
	}
	return &Access{r}, notes, nil
}

// Allows reports whether a client may connect.
func (a *Access) Allows(remote netip.Addr) bool { return !a.rules.remote(remote).deny }

// Denies reports whether anybody is kept out.
func (a *Access) Denies() bool {
	denies := func(v verdict) bool { return v.deny }
	return a.rules.any != nil && a.rules.any.deny || slices.ContainsFunc(slices.Collect(maps.Values(a.rules.nets)), denies)
}

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

// Denies reports whether a rule keeps anybody out, or from one of our own ends.
func (a *Access) Denies() bool {
	r := a.rules
	all := slices.Concat(slices.Collect(maps.Values(r.nets)), slices.Collect(maps.Values(r.ports)), slices.Collect(maps.Values(r.onAny)), []verdict{r.whatever()})
	return slices.ContainsFunc(all, func(v verdict) bool { return v.deny })
}

package vfs

import "strconv"

// LivePath is a path that leads to the directory as long as it is open, wherever it was
// moved; for a directory that is no descriptor's, Path. Of a Sleeper it takes what Hold
// returns.
func LivePath(d Dir) string {
	if o, ok := d.(*osDir); ok {
		return "/proc/self/fd/" + strconv.Itoa(o.fd)
	}
	return d.Path()
}

package watch

import "time"

// Kind says what was seen in a directory.
type Kind uint8

const (
	// Came: Name was made, or moved here from where no watch looks.
	Came Kind = iota
	// Went: Name was unlinked, or moved away. If it went to a watched directory,
	// ToDir is that one, and its watches have been told Renamed before.
	Went
	// Renamed: OldName of FromDir became Name, in one step. It is told to the
	// watches of the directory where Name is now.
	Renamed
	// Overflow: anything may have happened; look at everything. It comes when
	// the kernel lost events, and when a directory changed from polled to
	// pushed or was moved itself.
	Overflow
	// Changed: what is polled looks different, or may have changed without that.
	Changed
	// Wrote: a watched file was written to, or cut.
	Wrote
	// Gone: the directory was removed, or its file system unmounted. Nothing
	// comes after it. A directory that some process holds open is removed only
	// when that ends.
	Gone
)

// Event is what was seen in a watched directory. Events about one name come in
// order, except that a Went may come some milliseconds late: a name that moved
// out could still turn up in another watched directory.
type Event struct {
	Kind    Kind
	Name    string // Came, Went, Renamed
	OldName string // Renamed
	FromDir Dir    // Renamed
	ToDir   Dir    // Went; zero if it is not watched or the name was unlinked

	// Since, of an Overflow of the kernel's queue, is a moment before which
	// nothing was lost. Zero: it is not known.
	Since time.Time
}

// Dir identifies a directory or file while it exists. The zero value is none.
type Dir struct{ Dev, Ino uint64 }

// Watch is one consumer's watch of a directory or file.
type Watch interface {
	// Dir is what is watched: compare it with the directory or file meant,
	// since a path may lead elsewhere by now.
	Dir() Dir
	// Pushed reports whether every change since the last Overflow, or since the
	// watch began, was or will be told. False: it is polled, or Gone.
	Pushed() bool
	// Close ends the watch. When it returned, its function is not called again.
	Close()
}

// Package watch says that a name in a directory may have changed, or that a file
// was written to: inotify, read by watch descriptor and cookie, or a look at the
// times now and then where there is no inotify to be had.
//
// It owns one inotify instance and one goroutine per Watcher, however many look. An
// event is a hint, not a fact: whoever gets one looks at the directory. What it
// promises: nothing that inotify saw is left out without an Overflow, a rename seen
// from both ends is one event, and Drained. While it looks at what is polled it has
// one goroutine more for each file system, so that one that hangs delays no other.
//
// It knows nothing of mail, and reads nothing but times and lengths.
package watch

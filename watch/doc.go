// Package watch says that a name in a directory may have changed: inotify, read
// by watch descriptor and cookie, or a look at the modification time now and
// then where there is no inotify to be had.
//
// It owns one inotify instance and one goroutine per Watcher, from which all
// events are delivered. An event is a hint, not a fact: whoever gets one looks
// at the directory. What it promises: nothing that inotify saw is left out
// without an Overflow, a rename seen from both ends is one event, and Drained.
//
// It knows nothing of mail, and reads nothing but directories' times.
package watch

// Package vfs is the file system as an interface: the dozen operations that
// the server uses, each relative to a directory handle, each with its
// durability spelled out.
//
// A handle is an open directory. Names below it are single components, and no
// symbolic link is followed, so what an operation touches cannot be turned
// into another folder by somebody who renames directories meanwhile. Only
// FS.OpenDir and FS.MkdirAll resolve a path.
//
// OS is the implementation on the operating system. The package vfs/memfs
// holds one in memory that can lose its power, and vfs/faultfs wraps any of
// them so that operations fail on demand.
//
// The package owns nothing beyond what it returned open, and knows nothing of
// mail. Errors satisfy errors.Is with fs.ErrNotExist, fs.ErrExist and the
// syscall.Errno that the kernel gave.
package vfs

// Package memfs is a file system in memory for tests: the semantics of vfs.OS,
// a clock and a time grain that the test owns, a quota, a log of operations,
// and power loss with any subset of what was not synced.
//
// It never blocks in the kernel, so it can be used inside a bubble of
// testing/synctest.
package memfs

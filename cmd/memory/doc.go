// Package memory gives memory that a process does not need back to the system. It is
// for processes that live long and are mostly quiet. It owns nothing.
package memory

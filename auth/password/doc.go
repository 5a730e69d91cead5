// Package password checks passwords against stored hashes in every form that a
// Linux mail system has: Courier's {SCHEME} forms and the families of crypt(3),
// without cgo.
//
// It owns the bound on how many checks run at once and on the memory that they
// take together. It promises that a stored hash which asks for absurd work is
// refused, never computed; that comparisons take the same time whatever they
// compare; and that a check for an unknown account costs what a real one costs.
//
// It knows no account and no user name.
package password

// Package authority is the process that keeps the accounts, with the rights that their
// backends need: it checks passwords for the front, and says to the parent alone whom a
// ticket stands for.
//
// It owns the tickets. It has no socket of a stranger's.
package authority

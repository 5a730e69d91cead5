// Package privilege starts processes with less than what their parent may do, and takes
// from a process what it does not need.
//
// It promises that whatever it returns without an error holds: what was given up is
// looked at afterwards. It knows no mail and no configuration.
package privilege

package daemon

import (
	"fmt"
	"os/user"
	"strconv"
	"syscall"
)

// Who is a user and a group to become; -1 stays.
type Who struct{ UID, GID int }

// Identify reads the words of -user and -group, names or numbers. A user brings its group
// unless there is one.
func Identify(userWord, groupWord string) (Who, error) {
	who := Who{-1, -1}
	if userWord != "" {
		u, err := user.Lookup(userWord)
		if n, numberErr := strconv.ParseUint(userWord, 10, 31); err != nil && numberErr == nil {
			who.UID = int(n)
			if u, err = user.LookupId(userWord); err != nil {
				who.GID, err, u = int(n), nil, nil
			}
		}
		if err != nil {
			return who, fmt.Errorf("User not found: %s", userWord) //lint:ignore ST1005 Courier's words
		}
		if u != nil {
			var uidErr, gidErr error
			who.UID, uidErr = strconv.Atoi(u.Uid)
			who.GID, gidErr = strconv.Atoi(u.Gid)
			if uidErr != nil || gidErr != nil {
				return who, fmt.Errorf("user %s has the uid %s and gid %s", userWord, u.Uid, u.Gid)
			}
		}
	}
	if groupWord != "" {
		n, err := strconv.ParseUint(groupWord, 10, 31)
		if g, lookupErr := user.LookupGroup(groupWord); lookupErr == nil {
			n, err = strconv.ParseUint(g.Gid, 10, 31)
		}
		if err != nil {
			return who, fmt.Errorf("Group not found: %s", groupWord) //lint:ignore ST1005 Courier's words
		}
		who.GID = int(n)
	}
	return who, nil
}

// Stays reports whether there is nobody to become.
func (w Who) Stays() bool { return w.UID < 0 && w.GID < 0 }

// Become gives up what the process was, supplementary groups included, and cannot be
// undone.
func (w Who) Become() error {
	if w.Stays() {
		return nil
	}
	if w.GID >= 0 {
		if err := syscall.Setgroups([]int{w.GID}); err != nil {
			return fmt.Errorf("setgroups: %w", err)
		}
		if err := syscall.Setgid(w.GID); err != nil {
			return fmt.Errorf("setgid: %w", err)
		}
	}
	if w.UID >= 0 {
		if err := syscall.Setuid(w.UID); err != nil {
			return fmt.Errorf("setuid: %w", err)
		}
	}
	return nil
}

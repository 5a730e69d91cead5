package authdaemond

import (
	"fmt"
	"os/user"
	"strconv"
	"strings"
)

// owner reads "user", "user:group" or ":group", names or numbers; -1 is as it is. A
// user alone leaves the group.
func owner(text string) (uid, gid int, err error) {
	userName, groupName, _ := strings.Cut(text, ":")
	uid, err = identify(userName, func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("DOVECOT_AUTH_OWNER: %w", err)
	}
	gid, err = identify(groupName, func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("DOVECOT_AUTH_OWNER: %w", err)
	}
	return uid, gid, nil
}

func identify(name string, lookup func(name string) (string, error)) (int, error) {
	if name == "" {
		return -1, nil
	}
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	text, err := lookup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

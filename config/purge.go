package config

import (
	"fmt"
	"strconv"
	"strings"
)

// purges reads IMAP_EMPTYTRASH: FOLDER:DAYS with commas, or only DAYS, of the trash.
// Less than a day is a day, as Courier has it.
func purges(c *Config, s string) error {
	c.EmptyTrash = nil
	for _, one := range strings.Split(s, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		folder, days := "", one
		if i := strings.LastIndexByte(one, ':'); i >= 0 {
			folder, days = one[:i], one[i+1:]
			if folder == "" {
				return fmt.Errorf("%q names no folder before the colon", one)
			}
		}
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return fmt.Errorf("%q is not a number of days, as in Trash:7", days)
		}
		c.EmptyTrash = append(c.EmptyTrash, Purge{Folder: folder, Days: max(int(n), 1)})
	}
	return nil
}

// outbox reads OUTBOX, the directory of a folder.
func outbox(c *Config, s string) error {
	if s != "" && (len(s) < 2 || s[0] != '.' || strings.Contains(s, "/") || strings.Contains(s, "..")) {
		return fmt.Errorf("%q is not the directory of a folder, as .Outbox is", s)
	}
	c.Outbox = s
	return nil
}

// header is a header field's name.
func header(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, s string) error {
		for i := range len(s) {
			if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ':' {
				return fmt.Errorf("%q is not the name of a header field", s)
			}
		}
		*field(c) = s
		return nil
	}
}

// fileName is the name of a file without a directory.
func fileName(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, s string) error {
		if strings.Contains(s, "/") || s == "." || s == ".." {
			return fmt.Errorf("%q is not the name of a file", s)
		}
		*field(c) = s
		return nil
	}
}

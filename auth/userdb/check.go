package userdb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Report is what Check finds.
type Report struct {
	Refused   string // why Courier takes nothing of it, in its words; empty: it does
	Accounts  int
	Duplicate string   // a name that stands twice, which Courier does not take; empty: none
	Mistakes  []string // lines that are passed over, with file, line and reason
	More      int      // mistakes that are not in the list
	Compiled  string   // the database that Courier made of this userdb; empty: none
}

// Check reads the userdb at path as a server would, by the rules of makeuserdb(8).
func Check(path string) (*Report, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Report{Refused: path + ": not found."}, nil
	case err == nil && info.Mode()&fs.ModeSymlink != 0:
		return &Report{Refused: "ERROR: Wrong makeuserdb command.\n       (" + path + " is a symbolic link)"}, nil
	case err == nil && info.Mode().Perm()&0o077 != 0:
		return &Report{Refused: path + ": MAY NOT HAVE GROUP OR WORLD PERMISSIONS!!"}, nil
	}
	r := &Report{}
	seen := make(map[string]bool)
	complain := func(format string, args ...any) {
		if len(r.Mistakes) < maxComplaints {
			r.Mistakes = append(r.Mistakes, fmt.Sprintf(format, args...))
		} else {
			r.More++
		}
	}
	_, err = readSource(path, func(path, text string) {
		number := 0
		for line := range strings.Lines(text) {
			number++
			line = strings.TrimSuffix(line, "\n")
			name, _, err := parseLine(line)
			if key, _, ok := strings.Cut(line, "\t"); ok && !strings.HasPrefix(key, "#") {
				if seen[key] && r.Duplicate == "" {
					r.Duplicate = key
				}
				seen[key] = true
			}
			switch {
			case err != nil:
				complain("%s:%d: %v", path, number, err)
			case name != "":
				r.Accounts++
			}
		}
	}, func(path string, err error) { complain("%s: %v", path, err) })
	if _, err := os.Stat(path + ".dat"); err == nil {
		r.Compiled = path + ".dat"
	}
	return r, err
}

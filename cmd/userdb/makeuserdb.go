package userdb

import (
	"fmt"
	"strings"

	"postrider/auth/userdb"
)

// Make is the program makeuserdb. Courier compiles a userdb into databases with it;
// Postrider reads the text itself, whenever it changes. So this checks the text as
// Courier does, by its rules and with its words, says what Courier would do with
// it and Postrider does, and writes nothing.
func (t Tool) Make() int {
	path := t.Userdb
	if len(t.Args) > 0 {
		if t.Args[0] != "-f" || len(t.Args) != 2 {
			return t.fail("Usage: %s [-f filename]", t.Name)
		}
		path = strings.TrimSuffix(t.Args[1], "/")
	}
	report, err := userdb.Check(path)
	switch {
	case err != nil:
		return t.fail("%v", err)
	case report.Refused != "":
		return t.fail("%s", report.Refused)
	case report.Duplicate != "":
		return t.fail("Cannot store record for %s - duplicate or out of disk space.", report.Duplicate)
	}
	for _, m := range report.Mistakes {
		fmt.Fprintln(t.Err, m)
	}
	if report.More > 0 {
		fmt.Fprintf(t.Err, "%d more lines cannot be read\n", report.More)
	}
	fmt.Fprintf(t.Out, "%s: %d accounts. Postrider reads this text itself, nothing needs to be made of it.\n", path, report.Accounts)
	if report.Compiled != "" {
		fmt.Fprintf(t.Out, "%s is there: for Courier, run its own makeuserdb.\n", report.Compiled)
	}
	if len(report.Mistakes) > 0 {
		return 1
	}
	return 0
}

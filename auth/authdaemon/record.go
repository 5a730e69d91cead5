package authdaemon

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"postrider/auth"
)

// The ends of an answer.
const (
	recordEnd = ".\n"
	failed    = "FAIL\n"
	changed   = "OK\n"
)

// maxRecord is the size of an answer that clients read, in bytes.
const maxRecord = 8191

// appendRecord appends the answer to PRE and AUTH. Its order is Courier's; what is
// not known is left out. A record that the protocol cannot carry is an error:
// nothing in it is escaped.
func appendRecord(b []byte, id *auth.Identity) ([]byte, error) {
	uid, gid := number(id.UID), number(id.GID)
	if id.User != "" {
		uid = "" // the client looks the name up, and its groups
	} else if uid == "" {
		return nil, errors.New("neither uid nor system user")
	}
	switch {
	case gid == "":
		return nil, errors.New("no gid")
	case id.Home == "":
		return nil, errors.New("no home")
	}
	for _, line := range [][2]string{
		{"USERNAME", id.User}, {"UID", uid}, {"GID", gid}, {"HOME", id.Home}, {"ADDRESS", id.Login}, {"NAME", id.Name},
		{"MAILDIR", id.Maildir}, {"QUOTA", id.Quota}, {"PASSWD", id.Hash.Reveal()}, {"PASSWD2", id.Clear.Reveal()},
		{"OPTIONS", id.Options.String()},
	} {
		if line[1] == "" {
			continue
		}
		if strings.ContainsAny(line[1], "\n\x00") {
			return nil, fmt.Errorf("%s holds a line feed or NUL", line[0])
		}
		b = append(append(append(append(b, line[0]...), '='), line[1]...), '\n')
	}
	if b = append(b, recordEnd...); len(b) > maxRecord {
		return nil, fmt.Errorf("longer than %d bytes", maxRecord)
	}
	return b, nil
}

func number(n int) string {
	if n < 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// parseRecord reads such an answer, without its end. Lines that are not known are
// passed over, of several with one name the last counts.
func parseRecord(text string) (*auth.Identity, error) {
	id := &auth.Identity{UID: auth.Unknown, GID: auth.Unknown}
	var err error
	for line := range strings.SplitSeq(text, "\n") {
		name, value, _ := strings.Cut(line, "=")
		switch name {
		case "USERNAME":
			id.User = value
		case "UID":
			id.UID, err = parseID(name, value, err)
		case "GID":
			id.GID, err = parseID(name, value, err)
		case "HOME":
			id.Home = value
		case "ADDRESS":
			id.Login = value
		case "NAME":
			id.Name = value
		case "MAILDIR":
			id.Maildir = value
		case "QUOTA":
			id.Quota = value
		case "PASSWD":
			id.Hash = auth.NewSecret(value)
		case "PASSWD2":
			id.Clear = auth.NewSecret(value)
		case "OPTIONS":
			id.Options = auth.ParseOptions(value)
		}
	}
	if err == nil && (id.Home == "" || id.UID < 0 && id.User == "") {
		err = errors.New("a record without home, or without uid and name")
	}
	return id, err
}

// parseID reads a uid or gid, unless something was wrong before.
func parseID(name, value string, before error) (int, error) {
	if before != nil {
		return auth.Unknown, before
	}
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil || n == 1<<32-1 { // (uid_t)-1 stands for none
		return auth.Unknown, fmt.Errorf("%s is not a number", name)
	}
	return int(n), nil
}

// appendListed appends an account's line of ENUMERATE:
//
//	name HT uid HT gid HT home HT [maildir] HT [options] LF
func appendListed(b []byte, id *auth.Identity) ([]byte, error) {
	for i, field := range []string{id.Login, number(id.UID), number(id.GID), id.Home, id.Maildir, id.Options.String()} {
		if strings.ContainsAny(field, "\t\n\x00") {
			return nil, fmt.Errorf("account %q cannot be listed: a tab, line feed or NUL in it", id.Login)
		}
		if i > 0 {
			b = append(b, '\t')
		}
		b = append(b, field...)
	}
	return append(b, '\n'), nil
}

// parseListed reads such a line.
func parseListed(line string) (*auth.Identity, error) {
	fields := strings.Split(line, "\t")
	if len(fields) < 5 || fields[0] == "" {
		return nil, errors.New("malformed line in a list of accounts")
	}
	uid, err := parseID("uid", fields[1], nil)
	gid, err := parseID("gid", fields[2], err)
	if err != nil {
		return nil, err
	}
	id := &auth.Identity{Login: fields[0], UID: uid, GID: gid, Home: fields[3], Maildir: fields[4]}
	if len(fields) > 5 {
		id.Options = auth.ParseOptions(fields[5])
	}
	return id, nil
}

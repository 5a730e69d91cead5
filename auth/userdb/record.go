package userdb

import (
	"errors"
	"strconv"
	"strings"

	"postrider/auth"
)

// maxLine bounds a line in bytes.
const maxLine = 64 << 10

// record is the part of a line after its key: "field=value|field|field=value".
// There are no escapes; of several fields with one name the first counts.
type record string

// parseLine takes a line apart. key is empty for lines that hold no account:
// blank ones, comments, lines without a tab, and reverse records ("990=<TAB>name").
// The text of an error holds nothing of the line, which has secrets.
func parseLine(line string) (key string, r record, err error) {
	line = strings.TrimSuffix(line, "\r")
	if len(line) > maxLine {
		return "", "", errors.New("line is too long")
	}
	key, rest, found := strings.Cut(line, "\t")
	if !found || strings.HasPrefix(line, "#") || isReverse(key) {
		return "", "", nil
	}
	switch r = record(rest); {
	case key == "":
		return "", "", errors.New("no name before the tab")
	case len(key) > auth.MaxLogin:
		return "", "", errors.New("name is too long")
	case strings.IndexByte(line, 0) >= 0:
		return "", "", errors.New("line holds a NUL")
	}
	for _, name := range []string{"uid", "gid"} {
		if _, err := r.number(name); err != nil {
			return "", "", err
		}
	}
	if home, _ := r.field("home"); !strings.HasPrefix(home, "/") {
		return "", "", errors.New("home is not an absolute path")
	}
	return key, r, nil
}

// isReverse tells a key of the form "<uid>=".
func isReverse(key string) bool {
	digits, found := strings.CutSuffix(key, "=")
	return found && digits != "" && strings.Trim(digits, "0123456789") == ""
}

func (r record) field(name string) (value string, found bool) {
	for item := range strings.SplitSeq(string(r), "|") {
		if field, value, _ := strings.Cut(item, "="); field == name {
			return value, true
		}
	}
	return "", false
}

func (r record) number(name string) (int, error) {
	text, _ := r.field(name)
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	if err != nil || n == 1<<32-1 { // (uid_t)-1 stands for none
		return 0, errors.New(name + " is not a number")
	}
	return int(n), nil
}

// stored is the password that counts for a service: its own, else the general
// one.
func (r record) stored(service string) string {
	if stored, found := r.field(service + "pw"); found && service != "" {
		return stored
	}
	stored, _ := r.field("systempw")
	return stored
}

// identity is what the record says of key. The line was read by parseLine.
func (r record) identity(key string) (*auth.Identity, error) {
	uid, err := r.number("uid")
	if err != nil {
		return nil, err
	}
	gid, err := r.number("gid")
	if err != nil {
		return nil, err
	}
	id := &auth.Identity{Login: key, UID: uid, GID: gid}
	id.Home, _ = r.field("home")
	id.Maildir, _ = r.field("mail")
	id.Quota, _ = r.field("quota")
	gecos, _ := r.field("gecos")
	id.Name, _, _ = strings.Cut(gecos, ",")
	options, _ := r.field("options")
	id.Options = auth.ParseOptions(options)
	return id, nil
}

package authdaemon

import (
	"bufio"
	"errors"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"postrider/auth"
)

// The bounds of a request, those of courier-authlib 0.71.
const (
	maxLine     = 8190 // bytes of a line, its LF not counted
	maxData     = 8191 // bytes of what follows an AUTH line
	maxMetadata = 64   // lines before the command; Courier counts none
	maxService  = 64
)

// What to do with a request that asks for nothing. Courier's daemon closes the
// connection on some, and says FAIL to others; clients take the first for trouble,
// the second for a wrong password.
var (
	errMalformed = errors.New("malformed request")
	errRefused   = errors.New("request that no account can fit")
)

// request is one request. One of the kinds below.
type request struct {
	remote netip.Addr // the client of who asks, if it was told
	ask    any        // lookup, attempt, challenge, change, enumeration
}

type (
	lookup    struct{ module, service, login string }
	attempt   struct{ service, login, password string }
	challenge struct{ service, kind, challenge, response string } // the last two in base64
	change    struct{ service, login, old, new string }
	listing   struct{}
)

// readRequest reads one request:
//
//	request  = *metadata command
//	metadata = NAME "=" value LF              ; no blank before the "="
//	command  = "PRE" 1*SP module 1*SP service 1*SP login LF
//	         / "AUTH" 1*SP n LF nOCTET
//	         / "PASSWD" SP service HT login HT old HT new [HT ...] LF
//	         / "ENUMERATE" [SP ...] LF
func readRequest(r *bufio.Reader) (request, error) {
	var q request
	for range maxMetadata {
		line, err := readLine(r)
		if err != nil {
			return q, err
		}
		name, value, isMetadata := metadata(line)
		if !isMetadata {
			q.ask, err = command(line, r)
			return q, err
		}
		if name == "TCPREMOTEIP" {
			// What is no address is passed over, as an unknown name is.
			q.remote, _ = netip.ParseAddr(value)
		}
	}
	return q, errMalformed
}

// readLine reads a line of at most maxLine bytes. r's buffer must hold more.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", errMalformed
	case err != nil:
		return "", err
	case len(line) > maxLine+1:
		return "", errMalformed
	}
	return string(line[:len(line)-1]), nil
}

func metadata(line string) (name, value string, found bool) {
	i := strings.IndexAny(line, "= \t")
	if i < 0 || line[i] != '=' {
		return "", "", false
	}
	return line[:i], line[i+1:], true
}

func command(line string, r io.Reader) (any, error) {
	verb, rest, spaced := strings.Cut(line, " ")
	switch {
	case verb == "PRE" && spaced:
		return parseLookup(rest)
	case verb == "AUTH" && spaced:
		return readAttempt(strings.Trim(rest, " "), r)
	case verb == "PASSWD" && spaced:
		return parseChange(rest)
	case verb == "ENUMERATE":
		return listing{}, nil
	}
	return nil, errMalformed
}

func parseLookup(rest string) (any, error) {
	module, rest, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	service, login, found := strings.Cut(strings.TrimLeft(rest, " "), " ")
	login = strings.TrimLeft(login, " ")
	switch {
	case !found:
		return nil, errMalformed
	case !isService(service) || !isText(login, auth.MaxLogin):
		return nil, errRefused
	}
	return lookup{module, service, login}, nil
}

// readAttempt reads what follows an AUTH line:
//
//	service LF type LF data
//
// where data is two lines, the last LF of which may be missing. Empty lines are
// passed over, so neither a login nor a password can be empty.
func readAttempt(count string, r io.Reader) (any, error) {
	n, err := strconv.ParseUint(count, 10, 16)
	if err != nil || n == 0 || n > maxData {
		return nil, errMalformed
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, err
	}
	service, rest, first := strings.Cut(string(data), "\n")
	kind, rest, second := strings.Cut(rest, "\n")
	if !first || !second {
		return nil, errMalformed
	}
	lines := strings.FieldsFunc(rest, func(r rune) bool { return r == '\n' })
	if len(lines) < 2 || !isService(service) {
		return nil, errRefused
	}
	if kind != "login" {
		return challenge{service, kind, lines[0], lines[1]}, nil
	}
	if !isText(lines[0], auth.MaxLogin) || !isText(lines[1], auth.MaxPassword) {
		return nil, errRefused
	}
	return attempt{service, lines[0], lines[1]}, nil
}

func parseChange(rest string) (any, error) {
	words := strings.Split(rest, "\t")
	for _, w := range words {
		if w != "" && !isText(w, maxLine) {
			return nil, errRefused
		}
	}
	if len(words) < 4 {
		return nil, errMalformed
	}
	c := change{words[0], words[1], words[2], words[3]}
	if !isService(c.service) || !isText(c.login, auth.MaxLogin) || !isText(c.old, auth.MaxPassword) || !isText(c.new, auth.MaxPassword) {
		return nil, errRefused // Courier sets an empty password, after which nobody can log in
	}
	return c, nil
}

// isText tells whether s can be a login or a password: what the protocol and the
// files of accounts have no way to hold is refused on both sides.
func isText(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// isService tells whether s can be the name of a service. It becomes part of the
// names of fields and of PAM's files.
func isService(s string) bool {
	return isText(s, maxService) && !strings.ContainsAny(s, " /|=")
}

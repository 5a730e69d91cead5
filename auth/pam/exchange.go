package pam

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// What is asked and answered are a few strings, each with a NUL behind it: no
// password and no name can hold one. The process that is asked reads to the end of
// its standard input, and answers on descriptor 3, as modules may print.

// The things to ask for.
const (
	OpAuthenticate = "authenticate"
	OpLookup       = "lookup" // no password is looked at
)

// The outcomes.
const (
	Accepted  = "accepted"
	Rejected  = "rejected"
	Expired   = "expired"
	Disabled  = "disabled"
	Temporary = "temporary"
)

// MaxMessage bounds both messages in bytes.
const MaxMessage = 16 << 10

// version is the first string of both.
const version = "postrider-pam 1"

var errMessage = errors.New("malformed message")

// Request is what the process is asked.
type Request struct{ Op, Service, User, Password, Remote string }

// Answer is what it says. All but Outcome and Reason are of an account that is
// accepted.
type Answer struct {
	Outcome, Reason string
	User            string
	UID, GID        int
	Name, Home      string
}

func (r Request) fields() []*string {
	return []*string{&r.Op, &r.Service, &r.User, &r.Password, &r.Remote}
}

// Encode returns the message, or an error if a string holds a NUL or all are too long.
func (r Request) Encode() ([]byte, error) { return encode(r.fields()) }

// ReadRequest reads one to the end of in.
func ReadRequest(in io.Reader) (Request, error) {
	var r Request
	text, err := decode(in, 5)
	if err != nil {
		return r, err
	}
	r.Op, r.Service, r.User, r.Password, r.Remote = text[0], text[1], text[2], text[3], text[4]
	return r, nil
}

// Encode returns the message.
func (a Answer) Encode() ([]byte, error) {
	uid, gid := strconv.Itoa(a.UID), strconv.Itoa(a.GID)
	return encode([]*string{&a.Outcome, &a.Reason, &a.User, &uid, &gid, &a.Name, &a.Home})
}

// ReadAnswer reads one to the end of in.
func ReadAnswer(in io.Reader) (Answer, error) {
	var a Answer
	text, err := decode(in, 7)
	if err != nil {
		return a, err
	}
	a.Outcome, a.Reason, a.User, a.Name, a.Home = text[0], text[1], text[2], text[5], text[6]
	uid, err1 := strconv.ParseUint(text[3], 10, 32)
	gid, err2 := strconv.ParseUint(text[4], 10, 32)
	if err1 != nil || err2 != nil {
		return Answer{}, errMessage
	}
	a.UID, a.GID = int(uid), int(gid)
	return a, nil
}

func encode(fields []*string) ([]byte, error) {
	b := []byte(version + "\x00")
	for _, f := range fields {
		if strings.IndexByte(*f, 0) >= 0 {
			return nil, errMessage
		}
		b = append(append(b, *f...), 0)
	}
	if len(b) > MaxMessage {
		return nil, fmt.Errorf("%w: %d bytes", errMessage, len(b))
	}
	return b, nil
}

// decode reads exactly n strings.
func decode(in io.Reader, n int) ([]string, error) {
	b, err := io.ReadAll(io.LimitReader(in, MaxMessage+1))
	if err != nil {
		return nil, err
	}
	text := strings.Split(string(b), "\x00")
	if len(b) > MaxMessage || len(text) != n+2 || text[0] != version || text[n+1] != "" {
		return nil, errMessage
	}
	return text[1 : n+1], nil
}

package sasl

import (
	"bytes"
	"context"
)

// The challenges of draft-murchison-sasl-login-00 section 2.2. The draft words
// them "User Name" and "Password"; every server that is in use, Courier's
// included, sends these instead, and a client is to ignore the words.
const (
	askName     = "Username:"
	askPassword = "Password:"
)

// Login returns one exchange of the LOGIN mechanism
// (draft-murchison-sasl-login-00): obsolete, but what old clients of some
// vendors speak. An initial response is taken as the user name.
func Login(verify Verify) Server { return &login{verify: verify} }

type login struct {
	verify Verify
	asked  bool // for the name
	name   string
}

func (l *login) Next(ctx context.Context, response []byte) ([]byte, bool, error) {
	switch {
	case response == nil && !l.asked:
		l.asked = true
		return []byte(askName), false, nil
	case l.name == "":
		return l.takeName(response)
	}
	if len(response) == 0 || len(response) > maxPassword || bytes.IndexByte(response, 0) >= 0 {
		return nil, false, ErrMalformed
	}
	if err := l.verify(ctx, l.name, string(response)); err != nil {
		return nil, false, err
	}
	return nil, true, nil
}

func (l *login) takeName(response []byte) ([]byte, bool, error) {
	if len(response) == 0 || len(response) > maxName || bytes.IndexByte(response, 0) >= 0 {
		return nil, false, ErrMalformed
	}
	l.asked, l.name = true, string(response)
	return []byte(askPassword), false, nil
}

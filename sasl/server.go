package sasl

import (
	"context"
	"errors"
)

// MaxResponse is the number of bytes that a decoded response may have. What is
// longer is refused with ErrMalformed, whatever the mechanism.
const MaxResponse = 12 << 10

// maxName and maxPassword bound the two strings that PLAIN and LOGIN carry, in
// bytes. Courier's limit for both together is below 8192.
const (
	maxName     = 1 << 10
	maxPassword = 4 << 10
)

// ErrMalformed says that a response does not follow the mechanism's syntax or
// exceeds a bound. RFC 4422 3.6 counts it as a failed exchange.
var ErrMalformed = errors.New("malformed SASL response")

// ErrAuthorization says that the client asked to act as somebody else than the
// one whose password it knows.
var ErrAuthorization = errors.New("acting for another identity is not allowed")

// Server is the server's side of one exchange. It is not safe for concurrent
// use and is thrown away when the exchange has ended.
type Server interface {
	// Next takes the client's response and returns the next challenge. The first
	// call of an exchange carries the initial response, or nil if the client sent
	// none; an empty initial response is not nil. Later responses are never nil.
	//
	// With done false, challenge (which may be empty) goes to the client, and its
	// answer to Next. With done true the client is who it says; a challenge that
	// is not nil then is additional data with success (RFC 4422 3.6), which a
	// protocol without a place for it sends as one more challenge, whose answer
	// must be empty. An error ends the exchange: ErrMalformed, ErrAuthorization,
	// or what the function that was asked returned, unchanged.
	//
	// The response is borrowed: nothing of it is kept after the exchange.
	Next(ctx context.Context, response []byte) (challenge []byte, done bool, err error)
}

// Verify tells whether login and password belong together: nil if they do. The
// error goes back through Server.Next as it is.
type Verify func(ctx context.Context, login, password string) error

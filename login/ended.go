package login

import (
	"errors"

	"postrider/wire"
)

// Ended is the error of a conversation that ended without a login: ErrEnded, and how.
type Ended struct {
	How wire.Ending
	TLS bool  // STARTTLS had been done, or TLS was there from the beginning
	Err error // of the connection, if that ended it
}

// Error implements error.
func (e *Ended) Error() string {
	if e.Err == nil {
		return ErrEnded.Error()
	}
	return errors.Join(ErrEnded, e.Err).Error()
}

// Unwrap implements errors.Is and errors.As.
func (e *Ended) Unwrap() []error { return []error{ErrEnded, e.Err} }

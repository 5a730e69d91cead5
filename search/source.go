package search

import (
	"context"
	"errors"
	"io"
	"time"

	"postrider/mail"
)

// ErrGone says that a message is no longer there: it matches nothing.
var ErrGone = errors.New("the message is gone")

// Source is what a search may ask of one view. Messages have indexes from 0 in the
// order of their sequence numbers. Methods with a context may do I/O, return
// ErrGone, and are called from several goroutines at once.
type Source interface {
	Len() int
	UID(i int) mail.UID
	Flags(i int) mail.Flags
	HasKeyword(i int, keyword string) bool
	Recent(i int) bool

	// Internal is the date of delivery, in any zone.
	Internal(ctx context.Context, i int) (time.Time, error)
	// Size is the message's length in octets as it is served.
	Size(ctx context.Context, i int) (int64, error)
	// Header returns the raw fields with these names, as a header.
	Header(ctx context.Context, i int, names []string) ([]byte, error)
	// Open opens the whole message as it is served.
	Open(ctx context.Context, i int) (Text, error)
}

// Text is a message's octets. The caller closes it.
type Text interface {
	io.ReaderAt
	io.Closer
	Size() (int64, error)
}

// Options say how to search.
type Options struct {
	Workers int            // at most this many messages are open at once; at least 1
	Zone    *time.Location // in which the days of dates of delivery are counted
	Memory  *Memory        // of the mailbox; nil: nothing is remembered
}

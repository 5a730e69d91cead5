package wire

import (
	"context"
	"slices"
	"strings"

	"postrider/imap"
)

// State is a set of the states of RFC 3501 3.
type State uint8

// The states.
const (
	NotAuthenticated State = 1 << iota
	Authenticated
	Selected

	AnyState = NotAuthenticated | Authenticated | Selected
	LoggedIn = Authenticated | Selected
)

// Session is what a table's rows work on.
type Session interface {
	// State is the present state, one bit.
	State() State
	// Finish is called after a command ran, whatever came of it, before its
	// tagged answer: what happened meanwhile is told here.
	Finish(ctx context.Context, c *Command) error
	// Status says what an error of the floors below means to a client, nil if
	// that is not known.
	Status(err error) *imap.Status
}

// Row is what the loop must know of a command.
type Row[S Session] struct {
	Name      string   // in capitals; "UID FETCH" is a name
	States    State    // in which it is allowed
	Caps      []string // capability words that it stands for
	NoExpunge bool     // no EXPUNGE may be sent before its answer (RFC 3501 7.4.1)
	Streams   bool     // its last literal is read by run, not into the frame

	parse func(*imap.Decoder) error
	exec  func(context.Context, S, *Command, *imap.Decoder) error
}

// Define completes a row with the functions that parse its arguments, from the
// blank after the name on, and run it. The loop checks that parse left nothing
// over. run gets values that are valid until it returns.
func Define[S Session, A any](r Row[S], parse func(*imap.Decoder) A, run func(context.Context, S, *Command, A) error) Row[S] {
	whole := func(d *imap.Decoder) A {
		a := parse(d)
		d.End()
		return a
	}
	r.parse = func(d *imap.Decoder) error { whole(d); return d.Err() }
	r.exec = func(ctx context.Context, s S, c *Command, d *imap.Decoder) error {
		a := whole(d)
		if err := d.Err(); err != nil {
			return err
		}
		return run(ctx, s, c, a)
	}
	return r
}

// None is the arguments of a command that has none.
type None struct{}

// NoArguments parses them.
func NoArguments(*imap.Decoder) None { return None{} }

// Parse parses a frame's arguments as the row does, and runs nothing.
func (r *Row[S]) Parse(arguments []byte) error { return r.parse(imap.NewDecoder(arguments)) }

// Table holds the rows of a conversation. It is never written after NewTable.
type Table[S Session] struct {
	rows map[string]*Row[S]
	caps []string
}

// NewTable returns a table of the rows.
func NewTable[S Session](rows ...Row[S]) *Table[S] {
	t := &Table[S]{rows: make(map[string]*Row[S], len(rows))}
	for i := range rows {
		r := &rows[i]
		t.rows[r.Name] = r
		for _, c := range r.Caps {
			if !slices.Contains(t.caps, c) {
				t.caps = append(t.caps, c)
			}
		}
	}
	return t
}

// Lookup returns the row of a name in capitals, nil if there is none.
func (t *Table[S]) Lookup(name string) *Row[S] { return t.rows[name] }

// Names returns the commands' names, sorted.
func (t *Table[S]) Names() []string {
	names := make([]string, 0, len(t.rows))
	for n := range t.rows {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Capabilities returns the capability words that the rows stand for, without the
// hidden ones, in the order of the rows.
func (t *Table[S]) Capabilities(hidden []string) []string {
	return slices.DeleteFunc(slices.Clone(t.caps), func(c string) bool {
		return slices.ContainsFunc(hidden, func(h string) bool { return strings.EqualFold(h, c) })
	})
}

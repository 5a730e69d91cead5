package wire

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"postrider/imap"
)

// Ending says how a conversation ended.
type Ending uint8

// The endings.
const (
	Running         Ending = iota
	EndLogout              // LOGOUT
	EndLeft                // handed over: Command.Leave
	EndDisconnected        // the client went away
	EndTimeout             // nothing came for too long
	EndInterrupted         // the server goes down
	EndRefused             // BYE for another reason
	EndPanic               // a defect in the server
)

// String is the ending in a word, for logs.
func (e Ending) String() string {
	return [...]string{"running", "logout", "left", "disconnected", "timeout", "interrupted", "refused", "panic"}[e]
}

// Options are the bounds of a conversation.
type Options struct {
	Logger      *slog.Logger
	Budget      int           // octets of one command, without a streamed literal
	MaxBad      int           // bad commands in a row that end the conversation
	IdleTimeout time.Duration // between commands
	ReadTimeout time.Duration // without a byte inside one

	TimeoutText   string // of BYE when IdleTimeout is over
	InterruptText string // of BYE when the server goes down
}

// conversation is Serve at work.
type conversation[S Session] struct {
	Options
	c      *Conn
	t      *Table[S]
	s      S
	framer imap.Framer
	bad    int
}

// Serve runs the commands of a connection in order until it ends, and says how.
// Cancelling ctx ends it with BYE at the next wait for input. It flushes, and does
// not close the connection.
func Serve[S Session](ctx context.Context, c *Conn, t *Table[S], s S, o Options) (end Ending, err error) {
	v := &conversation[S]{Options: o, c: c, t: t, s: s}
	stop := context.AfterFunc(ctx, c.Interrupt)
	defer stop()
	defer func() {
		if p := recover(); p != nil {
			id := newID()
			v.Logger.Error("panic in a connection", "id", id, "panic", p, "stack", string(debug.Stack()))
			v.bye(imap.CodeServerBug, "An error of the server ended this session, it is logged as "+id)
			end, err = EndPanic, fmt.Errorf("panic in a connection, logged as %s", id)
		}
	}()
	for end == Running && err == nil {
		end, err = v.command(ctx)
		if c.Buffered() == 0 || len(v.framer.Bytes()) > readBufferSize {
			v.framer.Release() // else the next command is here already
		}
	}
	if err == nil {
		return end, c.Flush()
	}
	return v.broken(ctx, err)
}

// newID is a short name that a client's answer and a log line share.
func newID() string { return rand.Text()[:8] }

// broken says goodbye where that is still possible.
func (v *conversation[S]) broken(ctx context.Context, err error) (Ending, error) {
	var st *imap.Status
	if why := v.c.dismissal(); why != nil && errors.Is(err, ErrInterrupted) {
		v.bye(why.Code, why.Text)
		return EndRefused, nil
	}
	switch {
	case errors.Is(err, ErrInterrupted), ctx.Err() != nil:
		v.bye(imap.CodeUnavailable, v.InterruptText)
		return EndInterrupted, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		v.bye("", v.TimeoutText)
		return EndTimeout, nil
	case errors.Is(err, imap.ErrLost):
		v.bye(imap.CodeTooBig, "The command is far too large")
		return EndRefused, nil
	case errors.As(err, &st) && st.Kind == imap.KindBye:
		v.bye(st.Code, st.Text)
		return EndRefused, nil
	}
	return EndDisconnected, err
}

func (v *conversation[S]) bye(code imap.Code, text string) {
	v.untagged(imap.Bye(code, text))
	v.c.Flush() // the client may be gone already
}

func (v *conversation[S]) untagged(s *imap.Status) {
	b := append(v.c.AvailableBuffer(), "* "...)
	v.c.Write(append(s.AppendText(b), "\r\n"...))
}

// command reads one command, runs it and answers.
func (v *conversation[S]) command(ctx context.Context) (Ending, error) {
	if err := v.c.waitForCommand(v.IdleTimeout); err != nil {
		return Running, err
	}
	v.c.SetTimeout(v.ReadTimeout)
	switch err := v.framer.Begin(v.c, v.Budget); {
	case errors.Is(err, imap.ErrTooLarge):
		return Running, v.badCommand(v.tagOf(), v.tooLarge())
	case err != nil:
		return Running, err
	}
	d := imap.NewDecoder(v.framer.Bytes())
	cmd := &Command{Conn: v.c, framer: &v.framer}
	row, st := v.find(d, cmd)
	if st != nil {
		if err := v.framer.Refuse(v.c); err != nil {
			return Running, err
		}
		return Running, v.badCommand(cmd.Tag, st)
	}
	if ok, err := v.literals(row, cmd); !ok || err != nil {
		return Running, err
	}
	return v.run(ctx, row, cmd)
}

// tagOf is the tag of a frame that was cut off, "" if it has none.
func (v *conversation[S]) tagOf() string {
	d := imap.NewDecoder(v.framer.Bytes())
	tag := d.Tag()
	if d.Peek() != ' ' {
		return ""
	}
	return tag
}

func (v *conversation[S]) tooLarge() *imap.Status {
	return imap.Bad(fmt.Sprintf("The command is too large: at most %d octets are taken", v.Budget))
}

// maxTag bounds a tag: it is repeated in the answer.
const maxTag = 1024

// find reads tag and name and returns the command's row, or what is wrong.
func (v *conversation[S]) find(d *imap.Decoder, cmd *Command) (*Row[S], *imap.Status) {
	tag := d.Tag()
	if d.Err() != nil || len(tag) > maxTag {
		return nil, imap.Bad("A command begins with a tag, such as a1")
	}
	d.SP()
	if d.Err() != nil {
		return nil, imap.Bad("A command is a tag, a blank, and a name such as NOOP")
	}
	cmd.Tag = tag
	cmd.Name = d.Word("a command")
	if cmd.Name == "UID" {
		d.SP()
		cmd.Name += " " + d.Word("a command")
	}
	if err := d.Err(); err != nil {
		return nil, imap.Bad("No such command: " + err.Error())
	}
	row := v.t.Lookup(cmd.Name)
	switch state := v.s.State(); {
	case row == nil:
		return nil, imap.Bad("No such command here: " + cmd.Name[:min(len(cmd.Name), 64)])
	case row.States&state != 0:
		cmd.NoExpunge = row.NoExpunge
		return row, nil
	case state == NotAuthenticated:
		return nil, imap.Bad("Log in first")
	case state == Authenticated && row.States == Selected:
		return nil, imap.Bad("No mailbox is selected")
	}
	return nil, imap.Bad("This command is not allowed now")
}

// literals reads the command's literals into the frame, but for one that the row
// streams. ok is false if the command ends here, answered.
func (v *conversation[S]) literals(row *Row[S], cmd *Command) (ok bool, err error) {
	for {
		l, pending := v.framer.Literal()
		if !pending || row.Streams && v.hasArgument(cmd) {
			return true, nil
		}
		if !l.NonSync && v.framer.Fits() {
			if err := cmd.Continue("OK"); err != nil {
				return false, err
			}
		}
		err := v.framer.Include(v.c)
		if errors.Is(err, imap.ErrTooLarge) {
			return false, v.badCommand(cmd.Tag, v.tooLarge())
		}
		if err != nil {
			return false, err
		}
	}
}

// hasArgument reports whether an argument comes before the pending literal: a
// streaming command's first argument is the mailbox, perhaps itself a literal.
func (v *conversation[S]) hasArgument(cmd *Command) bool {
	d := v.arguments(cmd)
	d.SP()
	d.Astring()
	return d.Err() == nil
}

// arguments returns a decoder that stands after the command's name.
func (v *conversation[S]) arguments(cmd *Command) *imap.Decoder {
	d := imap.NewDecoder(v.framer.Bytes())
	d.Tag()
	d.SP()
	d.Atom()
	if cmd.UID() {
		d.SP()
		d.Atom()
	}
	return d
}

// run runs the command and writes its answer.
func (v *conversation[S]) run(ctx context.Context, row *Row[S], cmd *Command) (Ending, error) {
	d := v.arguments(cmd)
	if !d.AtEnd() {
		d.SP()
	}
	err := v.guarded(func() error { return row.exec(ctx, v.s, cmd, d) })
	if err := v.settle(cmd); err != nil {
		return Running, err
	}
	if err := v.c.Err(); err != nil {
		return Running, err
	}
	if ferr := v.guarded(func() error { return v.s.Finish(ctx, cmd) }); ferr != nil && err == nil {
		err = ferr
	}
	if cmd.answered {
		return cmd.ending, v.c.Flush()
	}
	st := v.status(ctx, cmd, err)
	if st.Kind == imap.KindBye {
		return Running, st
	}
	if st.Kind == imap.KindBad {
		return Running, v.badCommand(cmd.Tag, st)
	}
	v.bad = 0
	cmd.Answer(st)
	return cmd.ending, v.c.Flush()
}

// guarded makes an error of a panic with an error that the session has an answer to:
// such a one is no defect, but a file that cannot be read where nobody expects an
// error. It ends the command, unless half an answer was written: then, as any other
// panic, the connection.
func (v *conversation[S]) guarded(f func() error) (err error) {
	defer func() {
		p := recover()
		known, ok := p.(error)
		switch {
		case p == nil:
		case ok && !v.c.midLine && v.s.Status(known) != nil:
			v.Logger.Warn("a command could not be finished", "error", known)
			err = known
		default:
			panic(p)
		}
	}()
	return f()
}

// settle finishes a literal that run did not.
func (v *conversation[S]) settle(cmd *Command) error {
	err := cmd.skipLiteral()
	if err == nil {
		err = v.framer.Refuse(v.c)
	}
	if errors.Is(err, imap.ErrTooLarge) {
		return nil // thrown away to its end
	}
	return err
}

// status says what the tagged answer is.
func (v *conversation[S]) status(ctx context.Context, cmd *Command, err error) *imap.Status {
	if err == nil {
		if cmd.done != nil {
			return cmd.done
		}
		return imap.OK("", cmd.Name+" completed.")
	}
	var st *imap.Status
	if errors.As(err, &st) {
		return st
	}
	var syntax *imap.SyntaxError
	if errors.As(err, &syntax) {
		return imap.Bad("Wrong arguments of " + cmd.Name + ": " + syntax.Error())
	}
	if errors.Is(err, imap.ErrTooLarge) {
		return v.tooLarge()
	}
	if st := v.s.Status(err); st != nil {
		return st
	}
	if ctx.Err() != nil {
		return imap.No(imap.CodeUnavailable, v.InterruptText)
	}
	id := newID()
	v.Logger.Error("a command failed", "id", id, "command", cmd.Name, "error", err)
	return imap.No(imap.CodeServerBug, "An error of the server, it is logged as "+id)
}

// badCommand answers a command that was wrong, and counts it.
func (v *conversation[S]) badCommand(tag string, st *imap.Status) error {
	if v.bad++; v.bad >= v.MaxBad {
		return imap.Bye(imap.CodeClientBug, "Too many bad commands in a row")
	}
	if tag == "" {
		v.untagged(st)
	} else {
		(&Command{Conn: v.c, Tag: tag}).Answer(st)
	}
	return v.c.Flush()
}

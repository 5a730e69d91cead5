package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"postrider/imap"
	"postrider/wire/wiretest"
)

// echo is a session with a few commands that show what the loop does.
type echo struct {
	state State
	ran   []string

	cancel   context.CancelFunc
	finished []string // names of commands that Finish saw, "!" if no expunge is allowed
}

func (e *echo) State() State                  { return e.state }
func (e *echo) Status(err error) *imap.Status { return nil }

func (e *echo) Finish(_ context.Context, c *Command) error {
	name := c.Name
	if c.NoExpunge {
		name += "!"
	}
	e.finished = append(e.finished, name)
	return nil
}

func echoTable() *Table[*echo] {
	say := func(_ context.Context, e *echo, c *Command, a string) error {
		e.ran = append(e.ran, a)
		c.WriteString("* SAID " + a + "\r\n")
		return nil
	}
	word := func(d *imap.Decoder) string { return string(d.Astring()) }
	return NewTable(
		Define(Row[*echo]{Name: "SAY", States: AnyState, Caps: []string{"SAY"}}, word, say),
		Define(Row[*echo]{Name: "UID SAY", States: Selected}, word, say),
		Define(Row[*echo]{Name: "NOOP", States: AnyState}, NoArguments, func(context.Context, *echo, *Command, None) error { return nil }),
		Define(Row[*echo]{Name: "PANIC", States: AnyState}, NoArguments, func(context.Context, *echo, *Command, None) error { panic("boom") }),
		Define(Row[*echo]{Name: "FULL", States: AnyState}, NoArguments, func(context.Context, *echo, *Command, None) error { return syscall.ENOSPC }),
		Define(Row[*echo]{Name: "CANCEL", States: AnyState}, NoArguments, func(ctx context.Context, e *echo, _ *Command, _ None) error {
			e.cancel()
			return ctx.Err()
		}),
		Define(Row[*echo]{Name: "FETCH", States: Selected, NoExpunge: true}, NoArguments, func(_ context.Context, e *echo, c *Command, _ None) error {
			c.Done(imap.CodeReadOnly, "fetched")
			return nil
		}),
		Define(Row[*echo]{Name: "LEAVE", States: NotAuthenticated}, NoArguments, func(_ context.Context, _ *echo, c *Command, _ None) error {
			c.Leave()
			return nil
		}),
		Define(Row[*echo]{Name: "IDLE", States: AnyState, Caps: []string{"IDLE", "SAY"}}, NoArguments, runIdle),
		Define(Row[*echo]{Name: "LOGOUT", States: AnyState}, NoArguments, func(_ context.Context, _ *echo, c *Command, _ None) error {
			c.Untagged(imap.Bye("", "bye"))
			c.End(EndLogout)
			return nil
		}),
		Define(Row[*echo]{Name: "APPEND", States: AnyState, Streams: true}, (*imap.Decoder).Append, runAppend),
	)
}

// runIdle is IDLE: it says when it was woken, until DONE.
func runIdle(_ context.Context, e *echo, c *Command, _ None) error {
	if err := c.Continue("idling"); err != nil {
		return err
	}
	for {
		ev, err := c.WaitInput(time.Hour)
		switch {
		case err != nil:
			return err
		case ev == Woken:
			c.WriteString("* WOKEN\r\n")
			continue
		case ev == Timeout:
			return imap.Bye("", "too long")
		}
		line, err := c.ReadLine(20)
		if err != nil {
			return err
		}
		e.ran = append(e.ran, string(line))
		if strings.EqualFold(string(line), "DONE") {
			return nil
		}
		return imap.Bad("DONE was expected")
	}
}

func runAppend(_ context.Context, e *echo, c *Command, a imap.Append) error {
	if a.Mailbox != "INBOX" {
		return imap.No(imap.CodeTryCreate, "no such mailbox")
	}
	r, err := c.Literal()
	if err != nil {
		return err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	e.ran = append(e.ran, string(b))
	return c.EndLiteral()
}

var testOptions = Options{
	Logger: slog.New(slog.DiscardHandler), Budget: 200, MaxBad: 5, IdleTimeout: 30 * time.Minute, ReadTimeout: time.Minute,
	TimeoutText: "idle", InterruptText: "down",
}

// talk sends input to a conversation and returns all that it answered.
func talk(t *testing.T, e *echo, input string) (string, Ending) {
	t.Helper()
	var out string
	var end Ending
	synctest.Test(t, func(t *testing.T) {
		client, server := wiretest.Pair()
		c := NewConn(server, &Buffers{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			end, _ = Serve(t.Context(), c, echoTable(), e, testOptions)
			c.Close()
		}()
		io.WriteString(client, input)
		b, _ := io.ReadAll(client)
		out = string(b)
		<-done
	})
	return out, end
}

func TestConversation(t *testing.T) {
	for _, tc := range []struct {
		name, input, want string
		ran               []string
		end               Ending
	}{
		{"literal", "a SAY {3}\r\nfoo\r\nb LOGOUT\r\n", "+ OK\r\n* SAID foo\r\na OK SAY completed.\r\n* BYE bye\r\nb OK LOGOUT completed.\r\n", []string{"foo"}, EndLogout},
		{"uninvited literal", "a SAY {3+}\r\nfoo\r\nb LOGOUT\r\n", "* SAID foo\r\na OK SAY completed.\r\n* BYE bye\r\nb OK LOGOUT completed.\r\n", []string{"foo"}, EndLogout},
		{"refused literal is no command", "a NOSUCH {14+}\r\nx SAY smuggled\r\nb LOGOUT\r\n", "a BAD No such command here: NOSUCH\r\n* BYE bye\r\nb OK LOGOUT completed.\r\n", nil, EndLogout},
		{"too large a literal is no command", "a SAY {1000+}\r\n" + strings.Repeat("x SAY smuggled\r\n", 62) + "12345678\r\nb LOGOUT\r\n", "a BAD The command is too large: at most 200 octets are taken\r\n* BYE bye\r\nb OK LOGOUT completed.\r\n", nil, EndLogout},
		{"too long a line", "a SAY " + strings.Repeat("x", 300) + "\r\nb LOGOUT\r\n", "a BAD The command is too large: at most 200 octets are taken\r\n* BYE bye\r\nb OK LOGOUT completed.\r\n", nil, EndLogout},
		{"wrong state", "a UID SAY x\r\nb LOGOUT\r\n", "a BAD No mailbox is selected\r\n* BYE bye\r\nb OK LOGOUT completed.\r\n", nil, EndLogout},
		{"arguments", "a NOOP x\r\nb SAY\r\nc LOGOUT\r\n", "a BAD Wrong arguments of NOOP: the end of the command expected at octet 8\r\nb BAD Wrong arguments of SAY: an atom or a string expected at octet 6\r\n* BYE bye\r\nc OK LOGOUT completed.\r\n", nil, EndLogout},
		{"no tag", "\r\n+ NOOP\r\na\r\nb LOGOUT\r\n", "* BAD A command begins with a tag, such as a1\r\n* BAD A command begins with a tag, such as a1\r\n* BAD A command is a tag, a blank, and a name such as NOOP\r\n* BYE bye\r\nb OK LOGOUT completed.\r\n", nil, EndLogout},
		{"too many bad ones", strings.Repeat("a X\r\n", 7), strings.Repeat("a BAD No such command here: X\r\n", 4) + "* BYE [CLIENTBUG] Too many bad commands in a row\r\n", nil, EndRefused},
		{"stream", "a APPEND INBOX {5}\r\nhello\r\nb APPEND {5+}\r\nINBOX (\\Seen) {2+}\r\nhi\r\nc LOGOUT\r\n", "+ OK\r\na OK APPEND completed.\r\nb OK APPEND completed.\r\n* BYE bye\r\nc OK LOGOUT completed.\r\n", []string{"hello", "hi"}, EndLogout},
		{"refused stream is no command", "a APPEND x {16+}\r\nx SAY smuggled\r\n\r\nb LOGOUT\r\n", "a NO [TRYCREATE] no such mailbox\r\n* BYE bye\r\nb OK LOGOUT completed.\r\n", nil, EndLogout},
		{"rest after a stream", "a APPEND INBOX {2+}\r\nhi x\r\nb LOGOUT\r\n", "a BAD Wrong arguments of APPEND: the end of the command expected at octet 2\r\n* BYE bye\r\nb OK LOGOUT completed.\r\n", []string{"hi"}, EndLogout},
		{"silence", "", "* BYE idle\r\n", nil, EndTimeout},
		{"silence in a command", "a SAY {10}\r\nabc", "+ OK\r\n* BYE idle\r\n", nil, EndTimeout},
		{"absurd literal", "a SAY {99999999999999999999+}\r\n", "* BYE [TOOBIG] The command is far too large\r\n", nil, EndRefused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &echo{state: Authenticated}
			out, end := talk(t, e, tc.input)
			if out != tc.want {
				t.Errorf("answered %q, want %q", out, tc.want)
			}
			if strings.Join(e.ran, "|") != strings.Join(tc.ran, "|") || end != tc.end {
				t.Errorf("ran %q, ended %v; want %q, %v", e.ran, end, tc.ran, tc.end)
			}
		})
	}
}

func TestPanicEndsTheConnection(t *testing.T) {
	out, end := talk(t, &echo{state: Authenticated}, "a PANIC\r\nb NOOP\r\n")
	if !strings.HasPrefix(out, "* BYE [SERVERBUG] ") || end != EndPanic {
		t.Errorf("answered %q, ended %v", out, end)
	}
}

// An error number of the engine's is no error of the connection.
func TestEngineErrorKeepsTheSession(t *testing.T) {
	out, _ := talk(t, &echo{state: Authenticated}, "a FULL\r\nb LOGOUT\r\n")
	if !strings.HasPrefix(out, "a NO [SERVERBUG] ") || !strings.HasSuffix(out, "b OK LOGOUT completed.\r\n") {
		t.Errorf("answered %q", out)
	}
}

func TestDrainSaysGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := wiretest.Pair()
		ctx, cancel := context.WithCancel(t.Context())
		c := NewConn(server, &Buffers{})
		ended := make(chan Ending, 1)
		go func() {
			end, _ := Serve(ctx, c, echoTable(), &echo{state: Authenticated}, testOptions)
			ended <- end
			c.Close()
		}()
		synctest.Wait()
		cancel()
		line, _ := bufio.NewReader(client).ReadString('\n')
		if end := <-ended; line != "* BYE [UNAVAILABLE] down\r\n" || end != EndInterrupted {
			t.Errorf("got %q, %v", line, end)
		}
	})
}

func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := wiretest.Pair()
		c := NewConn(server, &Buffers{})
		defer c.Close()
		c.Wake() // before the wait: the next one ends at once
		if ev, err := c.WaitInput(time.Hour); ev != Woken || err != nil {
			t.Errorf("woken before: %v, %v", ev, err)
		}
		time.AfterFunc(time.Minute, c.Wake)
		if ev, err := c.WaitInput(time.Hour); ev != Woken || err != nil {
			t.Errorf("woken: %v, %v", ev, err)
		}
		if ev, err := c.WaitInput(time.Hour); ev != Timeout || err != nil {
			t.Errorf("time over: %v, %v", ev, err)
		}
		time.AfterFunc(time.Minute, func() { io.WriteString(client, "x") })
		if ev, err := c.WaitInput(time.Hour); ev != Input || err != nil || c.Buffered() != 1 {
			t.Errorf("input: %v, %v", ev, err)
		}
		c.Skip(1)
		client.Close()
		if _, err := c.WaitInput(time.Hour); !errors.Is(err, io.EOF) {
			t.Errorf("closed: %v", err)
		}
	})
}

// A literal is invited only if it will be taken: what the client sends after an
// invitation must not be left to be read as commands.
func TestLiteralIsInvitedIfItFits(t *testing.T) {
	for size := 180; size < 200; size++ {
		head := fmt.Sprintf("a SAY {%d}\r\n", size)
		out, _ := talk(t, &echo{state: Authenticated}, head)
		fits := len(head)+size <= testOptions.Budget
		if invited := strings.HasPrefix(out, "+ "); invited != fits {
			t.Errorf("size %d: fits %v, answered %q", size, fits, out)
		}
	}
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := wiretest.Pair()
		c := NewConn(server, &Buffers{})
		e := &echo{state: Selected}
		done := make(chan struct{})
		go func() {
			defer close(done)
			Serve(t.Context(), c, echoTable(), e, testOptions)
			c.Close()
		}()
		io.WriteString(client, "a IDLE\r\n")
		synctest.Wait()
		c.Wake()
		synctest.Wait()
		io.WriteString(client, "done\r\nb IDLE\r\nnonsense\r\nc IDLE\r\n"+strings.Repeat("x", 30)+"\r\nd IDLE\r\n")
		time.Sleep(2 * time.Hour)
		want := "+ idling\r\n* WOKEN\r\na OK IDLE completed.\r\n+ idling\r\nb BAD DONE was expected\r\n" +
			"+ idling\r\nc BAD The command is too large: at most 200 octets are taken\r\n+ idling\r\n* BYE too long\r\n"
		if b, _ := io.ReadAll(client); string(b) != want {
			t.Errorf("answered %q", b)
		}
		<-done
		if strings.Join(e.ran, "|") != "done|nonsense" {
			t.Errorf("ran %q", e.ran)
		}
	})
}

func TestCommandsKnowTheirRow(t *testing.T) {
	e := &echo{state: Selected}
	out, _ := talk(t, e, "a FETCH\r\nb uid say x\r\nc Noop\r\nd LEAVE\r\ne LOGOUT\r\n")
	want := "a OK [READ-ONLY] fetched\r\n* SAID x\r\nb OK UID SAY completed.\r\nc OK NOOP completed.\r\nd BAD This command is not allowed now\r\n* BYE bye\r\ne OK LOGOUT completed.\r\n"
	if out != want || strings.Join(e.finished, " ") != "FETCH! UID SAY NOOP LOGOUT" {
		t.Errorf("answered %q, finished %q", out, e.finished)
	}
}

// After LEAVE, what the client sent already stays in the connection for whoever
// goes on with it.
func TestLeaveKeepsTheInput(t *testing.T) {
	client, server := wiretest.Pair()
	c := NewConn(server, &Buffers{})
	defer c.Close()
	io.WriteString(client, "a LEAVE\r\nb NOOP\r\n")
	end, err := Serve(t.Context(), c, echoTable(), &echo{state: NotAuthenticated}, testOptions)
	if b, ferr := c.Fill(); end != EndLeft || err != nil || ferr != nil || string(b) != "b NOOP\r\n" {
		t.Errorf("%v, %v; left %q, %v", end, err, b, ferr)
	}
}

// The end of the server is no defect of the command that it hits.
func TestCancelInACommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := wiretest.Pair()
		c := NewConn(server, &Buffers{})
		defer c.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		io.WriteString(client, "a CANCEL\r\n")
		end, err := Serve(ctx, c, echoTable(), &echo{state: Authenticated, cancel: cancel}, testOptions)
		c.Close()
		b, _ := io.ReadAll(client)
		if want := "a NO [UNAVAILABLE] down\r\n* BYE [UNAVAILABLE] down\r\n"; string(b) != want || end != EndInterrupted || err != nil {
			t.Errorf("answered %q, %v, %v", b, end, err)
		}
	})
}

func TestTable(t *testing.T) {
	table := echoTable()
	if got := strings.Join(table.Capabilities(nil), " "); got != "SAY IDLE" {
		t.Errorf("capabilities %q", got)
	}
	if got := strings.Join(table.Capabilities([]string{"say"}), " "); got != "IDLE" {
		t.Errorf("without the hidden one %q", got)
	}
	if table.Lookup("NOSUCH") != nil || table.Lookup("UID SAY") == nil || len(table.Names()) != len(table.rows) {
		t.Errorf("names %q", table.Names())
	}
	if row := table.Lookup("SAY"); row.Parse([]byte("x")) != nil || row.Parse([]byte("x y")) == nil || row.Parse(nil) == nil {
		t.Error("a row parses what it should not")
	}
}

// FuzzConversation: whatever a client sends, the conversation ends without a
// defect and says no more than it must.
func FuzzConversation(f *testing.F) {
	f.Add([]byte("a SAY {3+}\r\nfoo\r\nb LOGOUT\r\n"))
	f.Add([]byte("a APPEND {5+}\r\nINBOX {2+}\r\nhi\r\nb IDLE\r\nDONE\r\n"))
	f.Add([]byte("a APPEND x {3+}\r\nabc {2}\r\n\r\n\r\na NOSUCH {1+}\r\nz {2+}\r\n"))
	f.Fuzz(func(t *testing.T, input []byte) {
		if bytes.Contains(bytes.ToUpper(input), []byte("PANIC")) || bytes.Contains(bytes.ToUpper(input), []byte("CANCEL")) {
			return
		}
		out, end := talk(t, &echo{state: Authenticated}, string(input))
		if end == EndPanic || end == Running && !strings.HasSuffix(out, "\r\n") {
			t.Errorf("ended %v: %q", end, out)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(out, "\r\n"), "\r\n") {
			if len(line) > 2*testOptions.Budget+200 {
				t.Errorf("a line of %d octets", len(line))
			}
		}
	})
}

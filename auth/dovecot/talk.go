package dovecot

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"postrider/auth"
	"postrider/sasl"
)

// The bounds of a connection.
const (
	maxExchanges = 128               // that are open
	maxSteps     = 16                // that are being computed; reading waits for one to end
	exchangeTime = 150 * time.Second // from its AUTH to its end
)

// talk is one connection.
type talk struct {
	server *Server
	conn   net.Conn
	steps  chan struct{}
	group  sync.WaitGroup

	mu        sync.Mutex // of the lines that go out, and of what follows
	exchanges map[uint32]*exchange
	leaving   bool // the server stops: the connection ends with the last exchange
}

// exchange is one attempt of a client to prove who it is. Its fields are changed under
// the talk's lock, or by the step that runs.
type exchange struct {
	id      uint32
	next    func(response []byte) (challenge []byte, done bool, err error)
	who     *auth.Identity
	request auth.Request
	claimed string // whom the client said that it is
	finalOK bool
	proved  bool // only the empty answer to the last challenge is missing
	busy    bool // a step runs
	stop    context.CancelFunc
}

func newTalk(s *Server, c net.Conn) *talk {
	return &talk{server: s, conn: c, steps: make(chan struct{}, maxSteps), exchanges: make(map[uint32]*exchange)}
}

// end gives up what is open, and waits until nothing runs.
func (t *talk) end() {
	t.conn.Close()
	t.mu.Lock()
	for _, e := range t.exchanges {
		e.stop()
	}
	clear(t.exchanges)
	t.mu.Unlock()
	t.group.Wait()
}

// leave has the connection end as soon as nothing is open.
func (t *talk) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leaving = true
	if len(t.exchanges) == 0 {
		t.conn.Close()
	}
}

// command obeys a line. An error ends the connection.
func (t *talk) command(ctx context.Context, words []string) error {
	switch words[0] {
	case "AUTH":
		return t.open(ctx, words[1:])
	case "CONT":
		if len(words) != 3 {
			return errProtocol
		}
		return t.goOn(words[1], words[2])
	case "CANCEL":
		if len(words) != 2 {
			return errProtocol
		}
		id, err := parseID(words[1])
		if err == nil {
			t.forget(id)
		}
		return err
	}
	return errProtocol
}

// open begins an exchange.
func (t *talk) open(ctx context.Context, words []string) error {
	o, err := parseOpening(words)
	if errors.Is(err, errBase64) {
		return t.say("FAIL", o.id, "code=invalid_base64", "reason=Invalid base64 data in initial response")
	}
	if err != nil {
		return err
	}
	offered := auth.MechanismsFor(*t.server.backend.Load(), o.request)
	i := slices.IndexFunc(offered, func(m auth.Mechanism) bool { return m.Name == o.mechanism })
	if i < 0 {
		return errProtocol
	}
	e := &exchange{id: o.id, request: o.request, finalOK: o.finalOK}
	ctx, e.stop = context.WithTimeout(ctx, exchangeTime)
	machine := offered[i].Start(o.request, func(id *auth.Identity) { e.who = id })
	e.next = func(response []byte) ([]byte, bool, error) {
		e.claimed = claimed(o.mechanism, response, e.claimed)
		return machine.Next(ctx, response)
	}
	t.mu.Lock()
	_, known := t.exchanges[o.id]
	full := len(t.exchanges) >= maxExchanges
	if !known && !full {
		t.exchanges[o.id] = e
		context.AfterFunc(ctx, func() { t.late(e) })
	}
	t.mu.Unlock()
	switch {
	case known:
		e.stop()
		return errProtocol
	case full:
		e.stop()
		return t.say("FAIL", o.id, "temp", "code=temp_fail", "reason=Too many authentication requests at once")
	}
	t.step(e, o.initial)
	return nil
}

// late ends an exchange whose time is over.
func (t *talk) late(e *exchange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.exchanges[e.id] == e {
		delete(t.exchanges, e.id)
		_ = t.sayLocked("FAIL", e.id, "temp", "code=temp_fail", "reason=Authentication request timed out")
	}
}

// forget ends an exchange that the client gave up.
func (t *talk) forget(id uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.exchanges[id]; e != nil {
		delete(t.exchanges, id)
		e.stop()
	}
}

// goOn gives an exchange the client's next response.
func (t *talk) goOn(number, data string) error {
	id, err := parseID(number)
	if err != nil {
		return err
	}
	response, err := decode(data)
	t.mu.Lock()
	e := t.exchanges[id]
	busy := e != nil && e.busy
	t.mu.Unlock()
	switch {
	case e == nil:
		return t.say("FAIL", id, "reason=Authentication request timed out")
	case busy:
		return errProtocol
	case err != nil:
		t.forget(id)
		return t.say("FAIL", id, "code=invalid_base64", "reason=Invalid base64 data in continued response")
	}
	t.step(e, response)
	return nil
}

// step runs one step of an exchange beside the reading of lines.
func (t *talk) step(e *exchange, response []byte) {
	t.mu.Lock()
	e.busy = true
	t.mu.Unlock()
	t.steps <- struct{}{}
	t.group.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				t.server.log.Error("panic in an exchange", "panic", p, "stack", string(debug.Stack()))
				t.conn.Close()
			}
			<-t.steps
		}()
		if e.proved {
			t.succeed(e, nil, len(response) == 0)
			return
		}
		challenge, done, err := e.next(response)
		switch {
		case err != nil:
			t.fail(e, err)
		case !done || challenge != nil && !e.finalOK:
			t.challenge(e, challenge, done)
		default:
			t.succeed(e, challenge, true)
		}
	})
}

func (t *talk) challenge(e *exchange, challenge []byte, proved bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.exchanges[e.id] != e {
		return
	}
	e.busy, e.proved = false, proved
	_ = t.sayLocked("CONT", e.id, base64.StdEncoding.EncodeToString(challenge))
}

// succeed ends an exchange that proved who it is; agreed, if the client took the last
// challenge.
func (t *talk) succeed(e *exchange, final []byte, agreed bool) {
	if e.who == nil || !agreed {
		t.fail(e, sasl.ErrMalformed)
		return
	}
	words := []string{"user=" + escape(e.who.Login)}
	if final != nil {
		words = append(words, "resp="+base64.StdEncoding.EncodeToString(final))
	}
	t.close(e, "OK", words...)
}

// fail ends an exchange that did not. Only a failure that will pass is told as one.
func (t *talk) fail(e *exchange, err error) {
	var words []string
	if e.claimed != "" {
		words = append(words, "user="+escape(e.claimed))
	}
	level := slog.LevelInfo
	end := func(e *exchange, words []string) { t.close(e, "FAIL", words...) }
	switch {
	case errors.Is(err, auth.ErrDisabled), errors.Is(err, auth.ErrInsecure):
		words = append(words, "user_disabled", "code=user_disabled")
	case errors.Is(err, auth.ErrExpired):
		words = append(words, "pass_expired", "code=pass_expired")
	case errors.Is(err, auth.ErrRejected), errors.Is(err, sasl.ErrMalformed), errors.Is(err, sasl.ErrAuthorization):
	case errors.Is(err, auth.ErrThrottled), errors.Is(err, context.Canceled):
		end = t.trouble
	default:
		end, level = t.trouble, slog.LevelError // ours to mend
	}
	address := ""
	if e.request.Remote.IsValid() {
		address = e.request.Remote.Addr().String()
	}
	t.server.log.Log(context.Background(), level, "authentication failed", "user", e.claimed, "service", e.request.Service, "remote", address, "err", err.Error())
	end(e, words)
}

func (t *talk) close(e *exchange, verb string, words ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.exchanges[e.id] == e { // else it was given up
		delete(t.exchanges, e.id)
		_ = t.sayLocked(verb, e.id, words...)
	}
	e.stop()
}

// trouble ends an exchange of which nobody can tell now. Postfix takes every FAIL for a
// wrong password, whatever stands in it, but not the end of the connection; so that is
// what it gets, unless that would end other exchanges, too.
func (t *talk) trouble(e *exchange, words []string) {
	t.mu.Lock()
	alone := len(t.exchanges) == 1 && t.exchanges[e.id] == e
	if alone {
		delete(t.exchanges, e.id)
		t.conn.Close()
	}
	t.mu.Unlock()
	t.close(e, "FAIL", append(words, "temp", "code=temp_fail")...)
}

func (t *talk) say(verb string, id uint32, words ...string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sayLocked(verb, id, words...)
}

// sayLocked writes a line. Where that fails the connection ends, and the reading with it.
func (t *talk) sayLocked(verb string, id uint32, words ...string) error {
	line := verb + "\t" + strconv.FormatUint(uint64(id), 10)
	if len(words) > 0 {
		line += "\t" + strings.Join(words, "\t")
	}
	_, err := io.WriteString(t.conn, line+"\n")
	if err != nil || t.leaving && len(t.exchanges) == 0 {
		t.conn.Close()
	}
	return err
}

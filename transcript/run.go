package transcript

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"postrider/mail"
)

// Server is what a transcript runs against.
type Server struct {
	Name string // as in "server NAME:" of the files
	// Dial opens a connection.
	Dial func() (net.Conn, error)
	// Preauth: a connection is logged in from the greeting on; else User and
	// Password are for LOGIN.
	Preauth        bool
	User, Password string
	// TLS is how a client goes on after STARTTLS.
	TLS *tls.Config
	// Deliver puts a message (with LF line ends) into a mailbox as a delivery
	// agent does. The mailbox's name is as in the file.
	Deliver func(mailbox mail.Name, message string) error
	// Patience is how long a line may take; 0 is 10 s.
	Patience time.Duration
}

// Runs reports whether the script can run against the server.
func (s *Script) Runs(on *Server) bool {
	return !on.Preauth || !slices.Contains(s.Needs, "login")
}

// Run runs the script. The error names file and line, what was expected and
// what came.
func (s *Script) Run(on *Server) error {
	r := &run{script: s, server: on, vars: on.variables(), clients: make(map[string]*client)}
	defer r.close()
	for _, st := range s.steps {
		if st.server == "" || st.server == on.Name {
			r.steps = append(r.steps, st)
		}
	}
	for r.at < len(r.steps) {
		here := r.steps[r.at]
		if err := r.step(); err != nil {
			return fmt.Errorf("%s:%d: %w%s", s.File, here.line, err, r.tail(here.client))
		}
	}
	return nil
}

// variables are those that a script begins with: the account, and the account
// as SASL's PLAIN and LOGIN send it.
func (on *Server) variables() map[string]string {
	code := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	return map[string]string{
		"user": on.User, "password": on.Password,
		"plain": code("\x00" + on.User + "\x00" + on.Password), "user64": code(on.User), "password64": code(on.Password),
		"wrong": code("\x00" + on.User + "\x00not " + on.Password),
	}
}

type run struct {
	script  *Script
	server  *Server
	steps   []step
	at      int
	vars    map[string]string
	clients map[string]*client
	banned  []string // patterns of "!" for the next "..."
}

func (r *run) close() {
	for _, c := range r.clients {
		c.conn.Close()
	}
}

// tail is the end of what a client and the server said.
func (r *run) tail(name string) string {
	c := r.clients[name]
	if c == nil {
		return ""
	}
	return "\n\tso far:\n\t" + strings.Join(c.log, "\n\t")
}

// step runs the step at r.at, or the block that begins there, and moves on.
func (r *run) step() error {
	st := r.steps[r.at]
	r.at++
	c := r.clients[st.client]
	switch st.verb {
	case login, connect:
		return r.connect(st.client, st.verb == login)
	case deliver:
		return r.deliver(st.text)
	}
	if c == nil {
		return fmt.Errorf("%s is not connected", st.client)
	}
	switch st.verb {
	case send:
		return c.send(expand(st.text, r.vars) + "\r\n")
	case secure:
		return c.secure(r.server.TLS)
	case sendRaw:
		return c.send(expand(st.text, r.vars))
	case never:
		r.banned = append(r.banned, st.text)
		return nil
	case anyOrder:
		return r.block(c, st)
	case closed:
		if line, err := c.line(); !errors.Is(err, io.EOF) || line != "" {
			return fmt.Errorf("want the end of the connection, got %q, %v", line, err)
		}
		return nil
	}
	if st.text == "..." {
		return r.passOver(c, st)
	}
	line, err := c.line()
	if err != nil {
		return fmt.Errorf("want %q: %w", st.text, err)
	}
	ok, err := r.fits(st.text, line)
	if err == nil && !ok {
		err = fmt.Errorf("\n\twant %s\n\tgot  %s", expand(st.text, r.vars), line)
	}
	return err
}

// fits compares a line, and keeps the variables of one that fits.
func (r *run) fits(pattern, line string) (bool, error) {
	set, ok, err := match(pattern, line, r.vars)
	for k, v := range set {
		r.vars[k] = v
	}
	return ok, err
}

// block reads as many lines as the block of "~" has; each must fit one of them.
func (r *run) block(c *client, first step) error {
	want := []string{first.text}
	for r.at < len(r.steps) && r.steps[r.at].verb == anyOrder && r.steps[r.at].client == first.client {
		want = append(want, r.steps[r.at].text)
		r.at++
	}
next:
	for len(want) > 0 {
		line, err := c.line()
		if err != nil {
			return fmt.Errorf("still wanted, in any order: %q: %w", want, err)
		}
		for i, pattern := range want {
			ok, err := r.fits(pattern, line)
			if err != nil {
				return err
			}
			if ok {
				want = slices.Delete(want, i, i+1)
				continue next
			}
		}
		return fmt.Errorf("\n\twant one of %q\n\tgot  %s", want, line)
	}
	return nil
}

// passOver reads lines until one fits the step that follows, which is done then.
func (r *run) passOver(c *client, st step) error {
	if r.at == len(r.steps) || r.steps[r.at].verb != expect || r.steps[r.at].client != st.client {
		return fmt.Errorf("after %q the file must say which line of %s comes next", "...", st.client)
	}
	next := r.steps[r.at]
	r.at++
	banned := r.banned
	r.banned = nil
	for {
		line, err := c.line()
		if err != nil {
			return fmt.Errorf("waiting for %q: %w", next.text, err)
		}
		if ok, err := r.fits(next.text, line); ok || err != nil {
			return err
		}
		for _, pattern := range banned {
			if _, ok, err := match(pattern, line, r.vars); ok || err != nil {
				return errors.Join(fmt.Errorf("got %q, which must not come (%s)", line, pattern), err)
			}
		}
		if !strings.HasPrefix(line, "* ") {
			return fmt.Errorf("\n\twant %s\n\tgot  %s", expand(next.text, r.vars), line)
		}
	}
}

func (r *run) connect(name string, in bool) error {
	if r.clients[name] != nil {
		return fmt.Errorf("%s is connected already", name)
	}
	conn, err := r.server.Dial()
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	patience := r.server.Patience
	if patience == 0 {
		patience = 10 * time.Second
	}
	c := newClient(conn, patience)
	r.clients[name] = c
	if !in {
		return nil
	}
	greeting, err := c.line()
	if err != nil {
		return fmt.Errorf("greeting: %w", err)
	}
	if r.server.Preauth {
		if !strings.HasPrefix(greeting, "* PREAUTH ") {
			return fmt.Errorf("the greeting is %q", greeting)
		}
		return nil
	}
	if err := c.send(fmt.Sprintf("login LOGIN %q %q\r\n", r.server.User, r.server.Password)); err != nil {
		return err
	}
	for {
		line, err := c.line()
		switch {
		case err != nil:
			return fmt.Errorf("login: %w", err)
		case strings.HasPrefix(line, "login OK"):
			return nil
		case !strings.HasPrefix(line, "* "):
			return fmt.Errorf("login: %s", line)
		}
	}
}

func (r *run) deliver(text string) error {
	mailbox, message, _ := strings.Cut(text, "\n")
	if r.server.Deliver == nil {
		return errors.New("nobody delivers to this server")
	}
	return r.server.Deliver(mail.Name(mailbox), expand(message, r.vars)+"\n")
}

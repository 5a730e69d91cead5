package authdaemon

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	"postrider/auth"
	"postrider/sasl"
)

// desk answers from one set of modules.
type desk struct {
	modules  []module
	defaults auth.Options
	brake    Brake
	changer  auth.PasswordChanger // nil: the modules
	log      *slog.Logger
	trace    func(line string)
}

// module is one with everything that a backend may be able to do; what it cannot is
// answered for it.
type module struct {
	name string
	able
}

type able interface {
	auth.Backend
	auth.Enumerator
	auth.PasswordChanger
	auth.ChallengeVerifier
}

func newDesk(c Config) *desk {
	d := &desk{defaults: c.DefaultOptions, brake: c.Brake, changer: c.Changer, log: c.Logger, trace: c.Trace}
	if d.brake == nil {
		d.brake = auth.NewBrake(nil)
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	for _, m := range c.Modules {
		all, _ := auth.Chain(m.Backend).(able) // a chain is able to do all of it
		d.modules = append(d.modules, module{m.Name, all})
	}
	return d
}

// answer is what goes back, nothing for a temporary failure.
func (d *desk) answer(ctx context.Context, q request) []byte {
	remote := netip.AddrPortFrom(q.remote, 0)
	switch ask := q.ask.(type) {
	case lookup:
		return d.lookup(ctx, ask, remote)
	case attempt:
		return d.attempt(ctx, ask, remote)
	case challenge:
		return d.challenge(ctx, ask, remote)
	case change:
		return d.change(ctx, ask, remote)
	}
	return nil
}

func (d *desk) lookup(ctx context.Context, ask lookup, remote netip.AddrPort) []byte {
	d.tracef("received userid lookup request: %s", ask.login)
	modules := d.modules
	if ask.module != "." {
		modules = slices.DeleteFunc(slices.Clone(modules), func(m module) bool { return m.name != ask.module })
	}
	r := auth.Request{Login: ask.login, Service: ask.service, Remote: remote}
	return d.told(d.first(modules, func(m module) (*auth.Identity, error) { return m.Lookup(ctx, r) }))
}

func (d *desk) attempt(ctx context.Context, ask attempt, remote netip.AddrPort) []byte {
	d.tracef("received auth request, service=%s, authtype=login", ask.service)
	r := auth.Request{Login: ask.login, Service: ask.service, Remote: remote}
	return d.told(d.braked(ctx, r, ask.password, func(m module) (*auth.Identity, error) {
		id, err := m.Authenticate(ctx, r, ask.password)
		if err == nil && id.Clear.IsZero() {
			id.Clear = auth.NewSecret(ask.password)
		}
		return id, err
	}))
}

func (d *desk) challenge(ctx context.Context, ask challenge, remote netip.AddrPort) []byte {
	d.tracef("received auth request, service=%s, authtype=%s", ask.service, ask.kind)
	text, err := base64.StdEncoding.DecodeString(ask.challenge)
	response, bad := base64.StdEncoding.DecodeString(ask.response)
	login, _, unlike := sasl.ParseCRAM(response)
	mechanisms := sasl.CRAMMechanisms()
	i := slices.IndexFunc(mechanisms, func(name string) bool { return strings.ToLower(name) == ask.kind })
	if err != nil || bad != nil || unlike != nil || !isText(login, auth.MaxLogin) || i < 0 {
		return d.told(nil, auth.ErrRejected)
	}
	r := auth.Request{Login: login, Service: ask.service, Remote: remote}
	return d.told(d.braked(ctx, r, string(response), func(m module) (*auth.Identity, error) {
		return m.VerifyChallenge(ctx, r, mechanisms[i], string(text), string(response))
	}))
}

// change asks modules in turn. Those that cannot change passwords are passed over; the
// first that does so ends it, and one that cannot tell does, too.
func (d *desk) change(ctx context.Context, ask change, remote netip.AddrPort) []byte {
	d.tracef("received password change request: service=%s, userid=%s", ask.service, ask.login)
	r := auth.Request{Login: ask.login, Service: ask.service, Remote: remote}
	var err error
	if d.changer != nil {
		err = d.changer.ChangePassword(ctx, r, ask.old, ask.new)
	} else {
		_, err = d.braked(ctx, r, ask.old, func(m module) (*auth.Identity, error) {
			err := m.ChangePassword(ctx, r, ask.old, ask.new)
			if errors.Is(err, errors.ErrUnsupported) {
				err = auth.ErrRejected
			}
			return nil, err
		})
	}
	if err == nil {
		return []byte(changed)
	}
	if !errors.Is(err, auth.ErrRejected) {
		d.log.Warn("a password was not changed", "user", ask.login, "err", err.Error())
	}
	return []byte(failed)
}

// braked is first when it is time for the attempt.
func (d *desk) braked(ctx context.Context, r auth.Request, secret string, ask func(module) (*auth.Identity, error)) (*auth.Identity, error) {
	var id *auth.Identity
	err := d.brake.Attempt(ctx, r, secret, func() (err error) {
		id, err = d.first(d.modules, ask)
		return err
	})
	return id, err
}

// first asks modules in their order until one does not reject.
func (d *desk) first(modules []module, ask func(module) (*auth.Identity, error)) (*auth.Identity, error) {
	for _, m := range modules {
		d.tracef("%s: trying this module", m.name)
		id, err := ask(m)
		switch {
		case err == nil:
			d.traceIdentity("DEBUG: "+m.name+": ", id)
			return id, nil
		case !errors.Is(err, auth.ErrRejected):
			d.tracef("%s: TEMPFAIL - no more modules will be tried", m.name)
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		d.tracef("%s: REJECT - try next module", m.name)
	}
	d.tracef("FAIL, all modules rejected")
	return nil, auth.ErrRejected
}

// told makes an answer of a result.
func (d *desk) told(id *auth.Identity, err error) []byte {
	switch {
	case err == nil:
	case errors.Is(err, auth.ErrRejected), errors.Is(err, auth.ErrExpired), errors.Is(err, auth.ErrDisabled), errors.Is(err, auth.ErrInsecure):
		return []byte(failed)
	default:
		d.log.Error("no answer to a request", "err", err.Error())
		return nil
	}
	id.Options = id.Options.Merge(d.defaults)
	record, err := appendRecord(nil, id)
	if err != nil {
		d.log.Error("a record that cannot be told", "user", id.Login, "err", err.Error())
		return nil
	}
	d.traceIdentity("Authenticated: ", id)
	return record
}

// list writes the accounts of every module that can list them. After a failure the
// end is missing, which tells who reads it.
func (d *desk) list(ctx context.Context, to io.Writer) error {
	d.tracef("received enumeration request")
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	w := bufio.NewWriterSize(to, 16<<10)
	for _, m := range d.modules {
		head := "# " + m.name + "\n\n"
		err := m.Enumerate(ctx, func(id *auth.Identity) error {
			id.Options = id.Options.Merge(d.defaults)
			line, err := appendListed([]byte(head), id)
			if head = ""; err != nil {
				return err
			}
			_, err = w.Write(line)
			return err
		})
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			continue
		case err != nil:
			d.log.Error("accounts were not listed to their end", "module", m.name, "err", err.Error())
			return w.Flush()
		}
		if _, err := w.WriteString(head); err != nil {
			return err
		}
	}
	_, err := w.WriteString(recordEnd)
	return errors.Join(err, w.Flush())
}

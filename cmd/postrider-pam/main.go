//go:build cgo

// Command postrider-pam asks PAM about one login, for auth/pam, and ends: the
// request is on standard input, the answer goes to descriptor 3. It is a program of
// its own because it links C, and because it may have to be started as root (or
// set-uid root) where the server is not: pam_unix reads shadow.
//
// It owns one PAM transaction. It opens no session and sets no credentials, as
// Courier's authpam does not. Whoever may start it may try passwords, as with
// su(1); its environment does not count.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/msteinert/pam/v2"

	protocol "postrider/auth/pam"
)

// maxTime ends a process whose server has died.
const maxTime = 2 * time.Minute

func main() {
	os.Clearenv() // modules believe it, and it may be a stranger's
	const answerTo = 3
	syscall.CloseOnExec(answerTo)
	time.AfterFunc(maxTime, func() { os.Exit(1) })
	request, err := protocol.ReadRequest(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "postrider-pam:", err)
		os.Exit(2)
	}
	message, err := answer(request).Encode()
	if err == nil {
		_, err = os.NewFile(answerTo, "answer").Write(message)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "postrider-pam:", err)
		os.Exit(1)
	}
}

// answer asks PAM, and the system for who that is.
func answer(r protocol.Request) protocol.Answer {
	name := r.User
	switch r.Op {
	case protocol.OpAuthenticate:
		var outcome, reason string
		if name, outcome, reason = authenticate(r); outcome != protocol.Accepted {
			return protocol.Answer{Outcome: outcome, Reason: reason}
		}
	case protocol.OpLookup:
	default:
		return protocol.Answer{Outcome: protocol.Temporary, Reason: "unknown request"}
	}
	return account(name)
}

// account is who a system user is, from wherever NSS has it.
func account(name string) protocol.Answer {
	u, err := user.Lookup(name)
	var unknown user.UnknownUserError
	switch {
	case errors.As(err, &unknown):
		return protocol.Answer{Outcome: protocol.Rejected, Reason: "no such system user"}
	case err != nil:
		return protocol.Answer{Outcome: protocol.Temporary, Reason: err.Error()}
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return protocol.Answer{Outcome: protocol.Temporary, Reason: err.Error()}
	}
	return protocol.Answer{Outcome: protocol.Accepted, User: u.Username, UID: uid, GID: gid, Name: u.Name, Home: u.HomeDir}
}

// service is a name that can be that of a file in /etc/pam.d and nothing else.
var service = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// authenticate is one transaction. PAM may map the name to another.
func authenticate(r protocol.Request) (name, outcome, reason string) {
	if !service.MatchString(r.Service) {
		return "", protocol.Temporary, "unusable name of a service"
	}
	converse := pam.ConversationFunc(func(style pam.Style, _ string) (string, error) {
		switch style {
		case pam.PromptEchoOff:
			return r.Password, nil
		case pam.PromptEchoOn:
			return r.User, nil
		}
		return "", nil
	})
	t, err := pam.Start(r.Service, r.User, converse)
	if err != nil {
		return "", protocol.Temporary, err.Error()
	}
	defer func() { _ = t.End() }()
	if r.Remote != "" {
		if err := t.SetItem(pam.Rhost, r.Remote); err != nil {
			return "", protocol.Temporary, err.Error()
		}
	}
	if err := t.Authenticate(pam.Silent | pam.DisallowNullAuthtok); err != nil {
		return "", outcomeOf(err, protocol.Rejected), err.Error()
	}
	if err := t.AcctMgmt(pam.Silent | pam.DisallowNullAuthtok); err != nil {
		return "", outcomeOf(err, protocol.Disabled), err.Error()
	}
	name, err = t.GetItem(pam.User)
	if err != nil {
		return "", protocol.Temporary, err.Error()
	}
	return name, protocol.Accepted, ""
}

// outcomeOf says what a failure means: denied is what a plain "no" is at this step.
// What PAM could not find out is never "no".
func outcomeOf(err error, denied string) string {
	var status pam.Error
	if !errors.As(err, &status) {
		return protocol.Temporary
	}
	switch status {
	case pam.ErrAuth, pam.ErrPermDenied, pam.ErrCredInsufficient, pam.ErrMaxtries:
		return denied
	case pam.ErrUserUnknown:
		return protocol.Rejected
	case pam.ErrAcctExpired, pam.ErrNewAuthtokReqd, pam.ErrCredExpired, pam.ErrAuthtokExpired:
		return protocol.Expired
	}
	return protocol.Temporary
}

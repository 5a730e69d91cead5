package authtools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"postrider/auth"
)

// Tool is one of the programs: what a process has, and its answer.
type Tool struct {
	Args   []string // without the name
	In     io.Reader
	Out    io.Writer
	Err    io.Writer
	Remote netip.AddrPort // whom to say that the attempt comes from (TCPREMOTEIP)

	// Open opens the accounts.
	Open func() (auth.Backend, error)
	// Password asks for one, twice on a terminal.
	Password func() (string, error)
}

func (t Tool) usage(text string) int {
	fmt.Fprintln(t.Err, "Usage:", text)
	return 1
}

// failed tells a failure in Courier's words, and why, where that is more.
func (t Tool) failed(err error) int {
	word := "Input/output error"
	switch {
	case errors.Is(err, auth.ErrRejected):
		word = "Operation not permitted"
	case errors.Is(err, errors.ErrUnsupported):
		word = "Function not implemented"
	case errors.Is(err, auth.ErrBadPassword):
		word = "Invalid argument"
	}
	fmt.Fprintln(t.Err, "Authentication FAILED:", word)
	if !errors.Is(err, auth.ErrRejected) {
		fmt.Fprintln(t.Err, err)
	}
	return 1
}

// Test is the program authtest: one argument looks an account up, two try a
// password, three change it.
func (t Tool) Test(ctx context.Context) int {
	const usage = "authtest [-s service] userid [ password [ newpassword ] ]"
	service, args := "login", t.Args
	if len(args) > 0 && strings.HasPrefix(args[0], "-s") {
		service, args = strings.TrimPrefix(args[0], "-s"), args[1:]
		if service == "" && len(args) > 0 {
			service, args = args[0], args[1:]
		}
	}
	if len(args) < 1 || len(args) > 3 || service == "" || strings.HasPrefix(args[0], "-") {
		return t.usage(usage)
	}
	backend, err := t.Open()
	if err != nil {
		return t.failed(err)
	}
	r := auth.Request{Login: args[0], Service: service, Remote: t.Remote, TLS: true}
	var id *auth.Identity
	switch len(args) {
	case 1:
		id, err = backend.Lookup(ctx, r)
	case 2:
		id, err = backend.Authenticate(ctx, r, args[1])
	case 3:
		return t.change(ctx, backend, r, args[1], args[2])
	}
	if err != nil {
		return t.failed(err)
	}
	if len(args) == 2 && id.Clear.IsZero() {
		id.Clear = auth.NewSecret(args[1])
	}
	t.print(id)
	return 0
}

func (t Tool) change(ctx context.Context, backend auth.Backend, r auth.Request, old, new string) int {
	changer, ok := backend.(auth.PasswordChanger)
	if !ok {
		return t.failed(errors.ErrUnsupported)
	}
	if err := changer.ChangePassword(ctx, r, old, new); err != nil {
		return t.failed(err)
	}
	fmt.Fprintln(t.Err, "Password change succeeded.")
	return 0
}

// print shows a record as authtest does.
func (t Tool) print(id *auth.Identity) {
	who := fmt.Sprintf("%s  (uid %d, gid %d)", id.Login, id.UID, id.GID)
	if id.User != "" {
		who = fmt.Sprintf("%s  (system username: %s)", id.Login, id.User)
	}
	fmt.Fprint(t.Out, "Authentication succeeded.\n\n")
	for _, row := range []struct{ label, value string }{
		{"Authenticated", who}, {"Home Directory", id.Home}, {"Maildir", id.Maildir}, {"Quota", id.Quota},
		{"Encrypted Password", id.Hash.Reveal()}, {"Cleartext Password", id.Clear.Reveal()}, {"Options", id.Options.String()},
	} {
		if row.value == "" {
			row.value = "(none)"
		}
		fmt.Fprintf(t.Out, "%19s %s\n", row.label+":", row.value)
	}
}

package authtools

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"postrider/auth"
	"postrider/auth/password"
)

// Hash is the program authpasswd: it reads a password and prints the stored form
// that the method makes. An unknown method makes {SSHA}, as Courier's does; without
// one it is SHA-512 crypt, where Courier's is MD5 crypt.
func (t Tool) Hash() int {
	method := "SHA512-CRYPT"
	if len(t.Args) > 1 {
		return t.usage("authpasswd [method]")
	}
	if len(t.Args) == 1 {
		method = t.Args[0]
	}
	text, err := t.Password()
	if err != nil {
		fmt.Fprintln(t.Err, "authpasswd:", err)
		return 1
	}
	stored, err := password.Make(method, text)
	if errors.Is(err, password.ErrUnsupported) {
		fmt.Fprintf(t.Err, "authpasswd: %s is none of %s; this is SSHA\n", method, strings.Join(password.Schemes(), ", "))
		stored, err = password.Make("SSHA", text)
	}
	if err != nil {
		fmt.Fprintln(t.Err, "authpasswd:", err)
		return 1
	}
	fmt.Fprintln(t.Out, stored)
	return 0
}

// Enumerate is the program authenumerate: it prints every account. -s leaves out
// those that share nothing, -o adds their options.
func (t Tool) Enumerate(ctx context.Context) int {
	var shared, options bool
	for _, arg := range t.Args {
		if len(arg) < 2 || arg[0] != '-' || strings.Trim(arg[1:], "so") != "" {
			return t.usage("authenumerate [-s] [-o]")
		}
		shared, options = shared || strings.Contains(arg, "s"), options || strings.Contains(arg, "o")
	}
	backend, err := t.Open()
	if err != nil {
		fmt.Fprintln(t.Err, "authenumerate:", err)
		return 1
	}
	list, ok := backend.(auth.Enumerator)
	if !ok {
		fmt.Fprintln(t.Err, "authenumerate: the accounts cannot be listed")
		return 1
	}
	out := bufio.NewWriter(t.Out)
	err = list.Enumerate(ctx, func(id *auth.Identity) error {
		if shared && id.Options.Int("disableshared") != 0 {
			return nil
		}
		fmt.Fprintf(out, "%s\t%d\t%d\t%s\t%s", id.Login, id.UID, id.GID, id.Home, id.Maildir)
		if options {
			fmt.Fprintf(out, "\t%s", id.Options)
		}
		_, err := fmt.Fprintln(out)
		return err
	})
	if err = errors.Join(err, out.Flush()); err != nil {
		fmt.Fprintln(t.Err, "authenumerate:", err)
		return 1
	}
	return 0
}

package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
)

// loginExec runs the program loginexec of the Maildir that is the current directory, if
// it is there and ours, with the client on its standard input and output. One that ends
// well has done its work for good, and is removed.
func loginExec(ctx context.Context) error {
	const name = "loginexec"
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || info.Mode()&0o100 == 0 || int(st.Uid) != os.Geteuid() {
		return nil
	}
	c := exec.CommandContext(ctx, "./"+name)
	c.Args[0] = name
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		return err
	}
	return os.Remove(name)
}

package userdb

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Tool is one of the programs: what a process has, and its answer.
type Tool struct {
	Name   string   // as it was called, for messages
	Userdb string   // the userdb where no option names one
	Args   []string // without the name
	In     io.Reader
	Out    io.Writer
	Err    io.Writer
}

// fail tells what went wrong, and is status 1.
func (t Tool) fail(format string, args ...any) int {
	fmt.Fprintf(t.Err, format+"\n", args...)
	return 1
}

// maxLine bounds a line of input in bytes.
const maxLine = 16 << 10

// terminal is standard input where it is one.
func (t Tool) terminal() (*os.File, bool) {
	f, ok := t.In.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// line reads one line of input, without its end.
func line(in *bufio.Reader) (string, error) {
	text, err := in.ReadString('\n')
	if err != nil && (!errors.Is(err, io.EOF) || text == "") {
		return "", err
	}
	if len(text) > maxLine {
		return "", errors.New("line is too long")
	}
	return strings.TrimSuffix(text, "\n"), nil
}

// Password asks for a password: twice, and without showing it, on a terminal; else
// it is the first line of input.
func (t Tool) Password() (string, error) {
	tty, ok := t.terminal()
	if !ok {
		return line(bufio.NewReaderSize(t.In, maxLine))
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Reenter password: "} {
		fmt.Fprint(t.Err, prompt)
		text, err := term.ReadPassword(int(tty.Fd()))
		fmt.Fprintln(t.Err)
		if err != nil {
			return "", err
		}
		typed[i] = string(text)
	}
	if typed[0] != typed[1] {
		return "", errors.New("passwords don't match")
	}
	return typed[0], nil
}

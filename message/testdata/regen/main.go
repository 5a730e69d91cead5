//go:build ignore

// Command regen asks an IMAP server what it makes of the messages in
// message/testdata/hard and stores its answers: one file for each message with the
// server's ENVELOPE, BODY and BODYSTRUCTURE as they came. The goldens in
// message/testdata/dovecot are those of Dovecot 2.3. From the project's root:
//
//	go run message/testdata/regen/main.go -server 127.0.0.1:143 -user u1 -password pass
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const mailbox = "hard-messages"

type client struct {
	conn net.Conn
	in   *bufio.Reader
	tag  int
}

func main() {
	server := flag.String("server", "127.0.0.1:143", "host and port of the server, without TLS")
	user := flag.String("user", "", "user name")
	password := flag.String("password", "", "password")
	from := flag.String("messages", "message/testdata/hard", "folder of the messages")
	to := flag.String("goldens", "message/testdata/dovecot", "folder of the answers")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*server, *user, *password, *from, *to); err != nil {
		log.Fatal(err)
	}
}

func run(server, user, password, from, to string) error {
	names, err := filepath.Glob(filepath.Join(from, "*.eml"))
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", server)
	if err != nil {
		return err
	}
	defer conn.Close()
	c := &client{conn: conn, in: bufio.NewReader(conn)}
	if _, err := c.response(); err != nil { // the greeting
		return err
	}
	if _, err := c.command(fmt.Sprintf("LOGIN %s %s", user, password), nil); err != nil {
		return err
	}
	c.command("DELETE "+mailbox, nil) // of a run that was stopped
	if _, err := c.command("CREATE "+mailbox, nil); err != nil {
		return err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if _, err := c.command("APPEND "+mailbox, text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if _, err := c.command("SELECT "+mailbox, nil); err != nil {
		return err
	}
	for i, name := range names {
		if err := c.store(i+1, filepath.Join(to, strings.TrimSuffix(filepath.Base(name), ".eml")+".golden")); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if _, err := c.command("CLOSE", nil); err != nil {
		return err
	}
	_, err = c.command("DELETE "+mailbox, nil)
	return err
}

// store asks for the three structures of a message and writes them to a file.
func (c *client) store(number int, file string) error {
	var out strings.Builder
	for _, item := range []string{"ENVELOPE", "BODY", "BODYSTRUCTURE"} {
		lines, err := c.command(fmt.Sprintf("FETCH %d %s", number, item), nil)
		if err != nil {
			return err
		}
		value := ""
		for _, l := range lines {
			if v, ok := strings.CutPrefix(l, fmt.Sprintf("* %d FETCH (%s ", number, item)); ok {
				value = strings.TrimSuffix(v, ")\r\n")
			}
		}
		if value == "" {
			return fmt.Errorf("no %s in %q", item, lines)
		}
		out.WriteString(item + " " + value + "\r\n")
	}
	return os.WriteFile(file, []byte(out.String()), 0o644)
}

// command sends a command, with a literal at its end if there is one, and returns
// the untagged responses.
func (c *client) command(text string, literal []byte) ([]string, error) {
	c.tag++
	tag := fmt.Sprintf("t%d", c.tag)
	if literal != nil {
		text += fmt.Sprintf(" {%d+}", len(literal))
	}
	if _, err := fmt.Fprintf(c.conn, "%s %s\r\n", tag, text); err != nil {
		return nil, err
	}
	if literal != nil {
		if _, err := c.conn.Write(append(literal, "\r\n"...)); err != nil {
			return nil, err
		}
	}
	var lines []string
	for {
		l, err := c.response()
		switch {
		case err != nil:
			return nil, err
		case strings.HasPrefix(l, tag+" OK"):
			return lines, nil
		case strings.HasPrefix(l, tag+" "):
			return nil, fmt.Errorf("%.40s: %s", text, strings.TrimSpace(l))
		}
		lines = append(lines, l)
	}
}

// response reads a line with its literals.
func (c *client) response() (string, error) {
	var out strings.Builder
	for {
		l, err := c.in.ReadString('\n')
		if err != nil {
			return "", err
		}
		out.WriteString(l)
		size, ok := strings.CutSuffix(l, "}\r\n")
		if !ok {
			return out.String(), nil
		}
		n, err := strconv.ParseInt(size[strings.LastIndexByte(size, '{')+1:], 10, 64)
		if err != nil {
			return out.String(), nil // a text that ends in a brace
		}
		if _, err := io.CopyN(&out, c.in, n); err != nil {
			return "", err
		}
	}
}

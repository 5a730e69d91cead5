package transcript

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"postrider/mail"
)

// fake is a server that answers lines from a map, any number of clients.
func fake(t *testing.T, answers map[string]string) *Server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprint(conn, "* OK hello\r\n")
				in := bufio.NewScanner(conn)
				for in.Scan() {
					answer, ok := answers[in.Text()]
					if !ok {
						return
					}
					fmt.Fprint(conn, answer)
				}
			}()
		}
	}()
	return &Server{
		Name: "fake", User: "u", Password: "p", Patience: 2 * time.Second,
		Dial:    func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) },
		Deliver: func(mail.Name, string) error { return nil },
	}
}

func TestRun(t *testing.T) {
	server := fake(t, map[string]string{
		`login LOGIN "u" "p"`: "* CAPABILITY X\r\nlogin OK in\r\n",
		"a1 SELECT":           "* 3 EXISTS\r\n* OK [UIDVALIDITY 77] x\r\n* FLAGS (\\Seen \\Draft)\r\na1 OK [READ-WRITE] done\r\n",
		"a2 USE 77":           "* 1 FETCH (BODY[] {6}\r\nab\r\ncd UID 9)\r\na2 OK yes\r\n",
	})
	const head = "login A\n"
	const selected = head + "A: a1 SELECT\n"
	for name, c := range map[string]struct{ script, fails string }{
		"in order": {selected + `A> * 3 EXISTS
A> * OK [UIDVALIDITY $v] ...
A> * FLAGS (~ \Draft \Seen)
A> a1 OK [READ-WRITE] ...
A: a2 USE $v
A> * 1 FETCH (BODY[] {6}
A| ab
A| cd UID $uid)
A> a2 OK ...`, ""},
		"any order":             {selected + "A~ * FLAGS ...\nA~ * OK ...\nA~ * $n EXISTS\nA> a1 OK ...", ""},
		"passed over":           {selected + "A> ...\nA> a1 OK ...", ""},
		"wrong order":           {selected + "A> * FLAGS ...", "t.txt:3: \n\twant * FLAGS ...\n\tgot  * 3 EXISTS"},
		"missing in block":      {selected + "A~ * FLAGS ...\nA~ * 4 EXISTS\nA> a1 OK ...", "t.txt:3"},
		"banned":                {selected + "A! * ... EXISTS\nA> ...\nA> a1 OK ...", "must not come"},
		"list with one missing": {selected + "A> ...\nA> * FLAGS (~ \\Seen)", "t.txt:3"},
		"tagged too early":      {selected + "A> ...\nA> * BYE", "t.txt:3"},
		"variable stays":        {selected + "A> * $n EXISTS\nA> * OK [UIDVALIDITY $n] x", "want * OK [UIDVALIDITY 3] x"},
		"other server":          {selected + "server other: a reason\nA> nonsense\nend\nA> * 3 EXISTS", ""},
		"this server":           {selected + "server fake: a reason\nA> nonsense\nend", "t.txt:4"},
		"closed":                {head + "A: what\nclosed A", ""},
		"not closed":            {selected + "closed A", "want the end"},
		"deliver":               {"deliver INBOX\n| Subject: x\n|\n| body", ""},
		"nobody there":          {"A: x", "A is not connected"},
	} {
		t.Run(name, func(t *testing.T) {
			script, err := Parse("t.txt", c.script)
			if err != nil {
				t.Fatal(err)
			}
			err = script.Run(server)
			if c.fails == "" && err != nil {
				t.Error(err)
			}
			if c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("error %v, want one with %q", err, c.fails)
			}
		})
	}
}

func TestParseComplains(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "nothing to do",
		"hello there":            "t.txt:1: \"hello\"",
		"login":                  "login whom",
		"login a":                "cannot be a client's name",
		"server x:\nend":         "REASON",
		"server x: y\nlogin A":   "has no end",
		"end":                    "end of what",
		"| x":                    "goes on with nothing",
		"login A\nA: x\nB| more": "another kind",
		"deliver":                "which mailbox",
	} {
		if _, err := Parse("t.txt", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}

func TestDeliverText(t *testing.T) {
	script, err := Parse("t.txt", "deliver Sent\n| Subject: x\n|\n|  two blanks\n")
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := script.Run(&Server{Deliver: func(m mail.Name, s string) error { got = string(m) + "\n" + s; return nil }}); err != nil {
		t.Fatal(err)
	}
	if want := "Sent\nSubject: x\n\n two blanks\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

package courierlogger

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// facility is what syslog calls it (RFC 3164 4.1.1), by Courier's words.
func facility(word string) (int, bool) {
	n, ok := map[string]int{
		"kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "security": 4, "lpr": 6, "news": 7, "uucp": 8, "cron": 9,
		"authpriv": 10, "ftp": 11, "console": 14, "local0": 16, "local1": 17, "local2": 18, "local3": 19, "local4": 20,
		"local5": 21, "local6": 22, "local7": 23,
	}[word]
	return n, ok
}

// syslog sends lines to the system's log. What does not get there goes to lost.
type syslog struct {
	socket   string
	tag      string
	facility int
	lost     io.Writer

	mu   sync.Mutex
	conn net.Conn
}

const sendTime = 10 * time.Second

// send sends one line in the form that the C library gives it.
func (s *syslog) send(level severity, text string) {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	message := fmt.Sprintf("<%d>%s %s: %s", s.facility<<3|int(level), time.Now().Format(time.Stamp), s.tag, text)
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.write(message)
	if err != nil { // a daemon that was started anew has a new socket
		s.close()
		err = s.write(message)
	}
	if err != nil {
		s.close()
		fmt.Fprintf(s.lost, "%s: %s\n", s.tag, text)
	}
}

func (s *syslog) write(message string) error {
	if s.conn == nil {
		for _, network := range []string{"unixgram", "unix"} {
			c, err := net.DialTimeout(network, s.socket, sendTime)
			if err == nil {
				s.conn = c
				break
			}
			if network == "unix" {
				return err
			}
		}
	}
	if s.conn.RemoteAddr().Network() == "unix" {
		message += "\n"
	}
	s.conn.SetWriteDeadline(time.Now().Add(sendTime))
	_, err := s.conn.Write([]byte(message))
	return err
}

func (s *syslog) close() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

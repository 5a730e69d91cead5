package serve

import (
	"net"
	"sync"
	"time"

	"postrider/imap"
	"postrider/wire"
)

// eviction ends the connection of a stranger that makes way for another: at once
// while there is nobody to talk to (a handshake), else with BYE.
type eviction struct {
	conn net.Conn

	mu    sync.Mutex
	begun bool
	c     *wire.Conn // once there is a conversation
}

// farewellTime is what a connection gets to take its BYE.
const farewellTime = time.Second

func makeWay() *imap.Status {
	return imap.Bye(imap.CodeLimit, "Too many connections, and this one has not logged in")
}

// begin ends the connection. It does not wait.
func (e *eviction) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.begun = true
	if e.c == nil {
		e.conn.Close()
		return
	}
	e.c.Dismiss(makeWay())
	time.AfterFunc(farewellTime, func() { e.conn.Close() })
}

// speak says that there is a conversation from now on.
func (e *eviction) speak(c *wire.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.c = c; e.begun {
		c.Dismiss(makeWay())
	}
}

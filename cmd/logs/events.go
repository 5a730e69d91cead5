package logs

import (
	"net/netip"
	"strconv"
	"strings"

	"postrider/login"
)

// event is a message that Courier has a line for.
type event struct {
	message string
	line    func(attrs) string
}

// events are Courier's lines (imapd and imaplogin of 5.x), which fail2ban, logwatch and
// whoever wrote filters for them look for.
func events() []event {
	return []event{
		{"connection", func(a attrs) string { return "DEBUG: Connection, " + a.peer() }},
		{"ended before login", beforeLogin},
		{"login failed", func(a attrs) string {
			return "INFO: " + login.CourierFailure(a.get("user"), a.get("method"), a.remote())
		}},
		{"login", func(a attrs) string { return "INFO: " + login.CourierLogin(a.get("user"), a.remote(), a.tls()) }},
		{"session ended", afterLogin},
		{"expunged", func(a attrs) string {
			return "INFO: EXPUNGED, user=" + a.get("user") + ", " + a.peer() + a.fields("old_name")
		}},
		{"account locked", func(a attrs) string { return "INFO: LOCKED, user=" + a.get("user") + ", " + a.peer() }},
	}
}

// beforeLogin is the end of a connection that nobody logged in on.
func beforeLogin(a attrs) string {
	if a.get("how") == "logout" {
		return "INFO: LOGOUT, " + a.peer() + a.fields("rcvd", "sent")
	}
	return "DEBUG: Disconnected, " + a.peer() + a.fields("time") + a.starttls()
}

// afterLogin is the end of a session.
func afterLogin(a attrs) string {
	words := map[string]string{
		"logout": "INFO: LOGOUT", "disconnected": "INFO: DISCONNECTED", "timeout": "INFO: TIMEOUT",
		"interrupted": "NOTICE: Disconnected during shutdown by signal",
	}
	word, ok := words[a.get("how")]
	if !ok {
		word = "INFO: DISCONNECTED" // by us, for what another line says
	}
	return word + ", user=" + a.get("user") + ", " + a.peer() + a.fields("headers", "body", "rcvd", "sent", "time") + a.starttls()
}

func (a attrs) fields(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		if v := a.get(name); v != "" {
			b.WriteString(", " + name + "=" + v)
		}
	}
	return b.String()
}

func (a attrs) tls() bool { return a.get("tls") == "true" }

func (a attrs) starttls() string {
	if a.tls() {
		return ", starttls=1"
	}
	return ""
}

// remote is the client's address, from the attributes ip and port, or remote.
func (a attrs) remote() netip.AddrPort {
	if ip, err := netip.ParseAddr(a.get("ip")); err == nil {
		port, _ := strconv.ParseUint(a.get("port"), 10, 16) // a client on a pipe has none
		return netip.AddrPortFrom(ip, uint16(port))
	}
	both, _ := netip.ParseAddrPort(a.get("remote"))
	return both
}

// peer shows the client as Courier does.
func (a attrs) peer() string { return login.CourierPeer(a.remote()) }

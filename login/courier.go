package login

import (
	"fmt"
	"net/netip"
)

// CourierFailure is the text that Courier logs for a failed login, which filters
// such as those of fail2ban look for. user is of LOGIN, method of AUTHENTICATE:
// Courier tells one of them. Control bytes are shown as ".".
func CourierFailure(user, method string, remote netip.AddrPort) string {
	who := "user=" + printable(user)
	if user == "" {
		who = "method=" + printable(method)
	}
	return fmt.Sprintf("LOGIN FAILED, %s, %s", who, CourierPeer(remote))
}

// CourierLogin is the text that Courier logs for a login.
func CourierLogin(user string, remote netip.AddrPort, tls bool) string {
	text := fmt.Sprintf("LOGIN, user=%s, %s, protocol=IMAP", printable(user), CourierPeer(remote))
	if tls {
		text += ", starttls=1"
	}
	return text
}

// CourierPeer is how Courier's lines show a client: an IPv4 address in its IPv6 form, as
// its sockets have it.
func CourierPeer(remote netip.AddrPort) string {
	address := "" // of a connection without one
	if remote.Addr().IsValid() {
		address = remote.Addr().WithZone("").String()
	}
	if remote.Addr().Is4() {
		address = "::ffff:" + address
	}
	return fmt.Sprintf("ip=[%s], port=[%d]", address, remote.Port())
}

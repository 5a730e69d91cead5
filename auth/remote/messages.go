package remote

import (
	"errors"
	"net/netip"

	"postrider/auth"
	"postrider/packet"
	"postrider/sasl"
)

// What a message is. Each begins with this octet and the number of the exchange that
// it belongs to; the front gives the numbers.
const (
	askList         = 1 // request: which mechanisms?
	askAuthenticate = 2 // request, password
	askStart        = 3 // request, mechanism, response
	askNext         = 4 // response
	askCancel       = 5

	tellList      = 17 // number, and for each name and whether it is clear
	tellAccepted  = 18 // ticket, login, additional data
	tellRefused   = 19 // outcome
	tellChallenge = 20 // challenge
)

const (
	maxName       = 64       // octets of a mechanism's name
	maxMechanisms = 64       // in a list
	maxChallenge  = 16 << 10 // octets
	maxService    = 32       // octets
	maxAddress    = 128      // octets of an address as text
	maxBindings   = 4        // of a TLS connection
	maxBinding    = 256      // octets
)

// outcomes are the verdicts that go over, each as its place here. What is none of
// them is a temporary failure.
func outcomes() []error {
	return []error{auth.ErrTemporary, auth.ErrRejected, auth.ErrExpired, auth.ErrDisabled, auth.ErrInsecure,
		auth.ErrUnusable, auth.ErrThrottled, sasl.ErrMalformed, sasl.ErrAuthorization}
}

func outcomeOf(err error) byte {
	for i, known := range outcomes() {
		if errors.Is(err, known) {
			return byte(i)
		}
	}
	return 0
}

func errorOf(outcome byte) error {
	if all := outcomes(); int(outcome) < len(all) {
		return all[outcome]
	}
	return auth.ErrTemporary
}

func begin(kind byte, exchange uint64) []byte {
	return packet.AppendUint64([]byte{kind}, exchange)
}

// appendRequest appends all of a request but who the client's certificate says that it
// is: the front would only have to claim it.
func appendRequest(b []byte, r auth.Request) []byte {
	b = packet.AppendText(packet.AppendText(b, r.Login), r.Service)
	remote := ""
	if r.Remote.IsValid() {
		remote = r.Remote.String()
	}
	b = packet.AppendBool(packet.AppendText(b, remote), r.TLS)
	b = packet.AppendUint32(b, uint32(min(len(r.Bindings), maxBindings)))
	left := maxBindings
	for kind, value := range r.Bindings {
		if left--; left >= 0 {
			b = packet.AppendText(packet.AppendText(b, kind), value)
		}
	}
	return b
}

// readRequest reads what appendRequest wrote.
func readRequest(f *packet.Fields) auth.Request {
	r := auth.Request{Login: f.Text(packet.MaxMessage), Service: f.Text(maxService)}
	if remote := f.Text(maxAddress); remote != "" {
		if at, err := netip.ParseAddrPort(remote); err == nil {
			r.Remote = at
		}
	}
	r.TLS = f.Bool()
	n := f.Uint32()
	for range min(n, maxBindings) {
		if r.Bindings == nil {
			r.Bindings = make(sasl.Bindings)
		}
		r.Bindings[f.Text(maxName)] = append([]byte(nil), f.Bytes(maxBinding)...)
	}
	return r
}

// appendResponse appends a SASL response or challenge, which may be nil or empty.
func appendResponse(b, response []byte) []byte {
	return packet.AppendText(packet.AppendBool(b, response != nil), response)
}

// readResponse copies what appendResponse wrote.
func readResponse(f *packet.Fields, limit int) []byte {
	there, text := f.Bool(), f.Bytes(limit)
	if !there {
		return nil
	}
	return append([]byte{}, text...)
}

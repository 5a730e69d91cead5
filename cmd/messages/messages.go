package messages

import (
	"postrider/auth/remote"
	"postrider/packet"
)

// Kind is a message's first octet.
type Kind byte

// The kinds. Each says who sends it to whom, and what is in it.
const (
	Settings Kind = 1 + iota // parent to all, first: JSON
	Ready                    // all but workers to parent: the settings will do

	Certificate // parent to front: for which name; two descriptors, of the PEM files, or none
	Accounts    // parent to front and keeper: a descriptor, the socket between the two
	Listeners   // parent to front: for each descriptor beside it whether it is for TLS
	Retire      // parent to front: accept no more
	Drain       // parent to front and worker: say BYE and end

	Handover // front to parent: number, ticket, About; a descriptor, the stream
	Accepted // parent to front: number; a worker has it
	Refused  // parent to front: number; nobody has it
	Ended    // worker to parent, and parent to front: number, and whether the worker died

	Redeem   // parent to keeper: number, ticket
	Redeemed // keeper to parent: number, Owner, Identity

	Session // parent to worker: number, Identity, About; a descriptor, the stream
)

const (
	maxAbout    = 24 << 10
	maxIdentity = 24 << 10
	maxGroups   = 1024
	maxHost     = 256
)

// Numbered is a message of a kind with a number and nothing else.
func Numbered(k Kind, number uint64) []byte { return packet.AppendUint64([]byte{byte(k)}, number) }

// ReadNumber reads the rest of a message after its kind, made by Numbered.
func ReadNumber(f *packet.Fields) (uint64, error) {
	n := f.Uint64()
	return n, f.Err()
}

// Text is a message of a kind with octets after it, to the end.
func Text(k Kind, text []byte) []byte { return append([]byte{byte(k)}, text...) }

// CertificateFor is for a host name or an address, or "" for all others.
func CertificateFor(name string) []byte { return packet.AppendText([]byte{byte(Certificate)}, name) }

// ReadCertificate reads what CertificateFor made.
func ReadCertificate(f *packet.Fields) (name string, err error) {
	name = f.Text(maxHost)
	return name, f.Err()
}

// EndOf says that a session ended.
func EndOf(number uint64, died bool) []byte { return packet.AppendBool(Numbered(Ended, number), died) }

// ReadEnd reads what EndOf made.
func ReadEnd(f *packet.Fields) (number uint64, died bool, err error) {
	number, died = f.Uint64(), f.Bool()
	return number, died, f.Err()
}

// HandoverOf gives a connection away.
func HandoverOf(number uint64, ticket remote.Ticket, about []byte) []byte {
	return packet.AppendText(append(Numbered(Handover, number), ticket[:]...), about)
}

// ReadHandover reads what HandoverOf made. about is a copy.
func ReadHandover(f *packet.Fields) (number uint64, ticket remote.Ticket, about []byte, err error) {
	number = f.Uint64()
	f.Fixed(ticket[:])
	about = append([]byte(nil), f.Bytes(maxAbout)...)
	return number, ticket, about, f.Err()
}

// RedeemOf asks whom a ticket stands for.
func RedeemOf(number uint64, ticket remote.Ticket) []byte {
	return append(Numbered(Redeem, number), ticket[:]...)
}

// ReadRedeem reads what RedeemOf made.
func ReadRedeem(f *packet.Fields) (number uint64, ticket remote.Ticket, err error) {
	number = f.Uint64()
	f.Fixed(ticket[:])
	return number, ticket, f.Err()
}

// Owner is whom a session's process belongs to.
type Owner struct {
	UID, GID uint32
	Groups   []uint32
}

// RedeemedOf answers RedeemOf; an empty identity says that the ticket stands for nobody.
func RedeemedOf(number uint64, o Owner, identity []byte) []byte {
	m := packet.AppendUint32(packet.AppendUint32(Numbered(Redeemed, number), o.UID), o.GID)
	groups := o.Groups[:min(len(o.Groups), maxGroups)]
	m = packet.AppendUint32(m, uint32(len(groups)))
	for _, g := range groups {
		m = packet.AppendUint32(m, g)
	}
	return packet.AppendText(m, identity)
}

// ReadRedeemed reads what RedeemedOf made. identity is a copy.
func ReadRedeemed(f *packet.Fields) (number uint64, o Owner, identity []byte, err error) {
	number, o.UID, o.GID = f.Uint64(), f.Uint32(), f.Uint32()
	n := f.Uint32()
	if n > maxGroups {
		return 0, o, nil, packet.ErrMalformed
	}
	for range n {
		o.Groups = append(o.Groups, f.Uint32())
	}
	identity = append([]byte(nil), f.Bytes(maxIdentity)...)
	return number, o, identity, f.Err()
}

// SessionOf gives a connection to a worker.
func SessionOf(number uint64, identity, about []byte) []byte {
	return packet.AppendText(packet.AppendText(Numbered(Session, number), identity), about)
}

// ReadSession reads what SessionOf made.
func ReadSession(f *packet.Fields) (number uint64, id Identity, a About, err error) {
	number = f.Uint64()
	identity, about := f.Bytes(maxIdentity), f.Bytes(maxAbout)
	if err := f.Err(); err != nil {
		return 0, id, a, err
	}
	if id, err = readIdentity(identity); err != nil {
		return 0, id, a, err
	}
	a, err = readAbout(about)
	return number, id, a, err
}

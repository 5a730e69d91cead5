package messages

import (
	"net/netip"

	"postrider/auth"
	"postrider/packet"
	"postrider/wire"
)

// About is what the front knows of a connection that has logged in.
type About struct {
	Tag    string // of the command that logged in, which is to be answered
	Method string
	TLS    bool
	Remote netip.AddrPort
	Client uint64 // wire.Conn.Client
	Unread []byte // wire.Conn.Unread
}

const (
	maxTag     = 1024 // of package wire
	maxMethod  = 64
	maxAddress = 128
	maxText    = 4 << 10 // of a field of an identity
)

// Append appends it to a message.
func (a About) Append(b []byte) []byte {
	b = packet.AppendText(packet.AppendText(b, a.Tag), a.Method)
	remote := ""
	if a.Remote.IsValid() {
		remote = a.Remote.String()
	}
	b = packet.AppendText(packet.AppendBool(b, a.TLS), remote)
	return packet.AppendText(packet.AppendUint64(b, a.Client), a.Unread)
}

func readAbout(m []byte) (a About, err error) {
	f := packet.NewFields(m)
	a.Tag, a.Method, a.TLS = f.Text(maxTag), f.Text(maxMethod), f.Bool()
	if remote := f.Text(maxAddress); remote != "" {
		if a.Remote, err = netip.ParseAddrPort(remote); err != nil {
			return a, packet.ErrMalformed
		}
	}
	a.Client = f.Uint64()
	a.Unread = append(a.Unread, f.Bytes(wire.MaxUnread)...)
	return a, f.Err()
}

// Identity is what a worker gets to know of an account: no password.
type Identity struct{ auth.Identity }

// Append appends it to a message.
func (id Identity) Append(b []byte) []byte {
	b = packet.AppendUint64(packet.AppendUint64(b, uint64(id.UID)), uint64(id.GID))
	for _, text := range []string{id.Login, id.User, id.Home, id.Maildir, id.Name, id.Quota, id.Options.String()} {
		b = packet.AppendText(b, text)
	}
	return b
}

func readIdentity(m []byte) (id Identity, err error) {
	f := packet.NewFields(m)
	id.UID, id.GID = int(int64(f.Uint64())), int(int64(f.Uint64()))
	var options string
	for _, field := range []*string{&id.Login, &id.User, &id.Home, &id.Maildir, &id.Name, &id.Quota, &options} {
		*field = f.Text(maxText)
	}
	id.Options = auth.ParseOptions(options)
	return id, f.Err()
}

package messages

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postrider/auth"
	"postrider/auth/remote"
	"postrider/packet"
)

func TestSession(t *testing.T) {
	id := Identity{auth.Identity{Login: "ann@example.org", User: "ann", UID: 1000, GID: auth.Unknown, Home: "/home/ann", Maildir: "M",
		Name: "Ann", Quota: "1S", Options: auth.ParseOptions("a=b,c"), Clear: auth.NewSecret("secret")}}
	about := About{Tag: "a1", Method: "PLAIN", TLS: true, Remote: netip.MustParseAddrPort("[2001:db8::1]:99"), Client: 1 << 60, Unread: []byte("b NOOP\r\n")}
	m := SessionOf(7, id.Append(nil), about.Append(nil))
	if strings.Contains(string(m), "secret") {
		t.Error("a password goes to the worker")
	}
	f := packet.NewFields(m)
	if Kind(f.Octet()) != Session {
		t.Error("another kind")
	}
	number, gotID, gotAbout, err := ReadSession(f)
	if err != nil || number != 7 {
		t.Fatal(number, err)
	}
	want := id
	want.Clear = auth.Secret{}
	if d := cmp.Diff(want, gotID, cmp.AllowUnexported(auth.Secret{})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(about, gotAbout, cmpopts.EquateComparable(netip.AddrPort{})); d != "" {
		t.Error(d)
	}
}

func TestRedeem(t *testing.T) {
	ticket := remote.Ticket{1, 2, 3}
	f := packet.NewFields(HandoverOf(3, ticket, []byte("about")))
	f.Octet()
	if n, got, about, err := ReadHandover(f); n != 3 || got != ticket || string(about) != "about" || err != nil {
		t.Error(n, got, about, err)
	}
	f = packet.NewFields(RedeemOf(4, ticket))
	f.Octet()
	if n, got, err := ReadRedeem(f); n != 4 || got != ticket || err != nil {
		t.Error(n, got, err)
	}
	o := Owner{UID: 1, GID: 2, Groups: []uint32{2, 3}}
	f = packet.NewFields(RedeemedOf(5, o, []byte("id")))
	f.Octet()
	if n, got, id, err := ReadRedeemed(f); n != 5 || !cmp.Equal(got, o) || string(id) != "id" || err != nil {
		t.Error(n, got, id, err)
	}
	f = packet.NewFields(EndOf(6, true))
	f.Octet()
	if n, died, err := ReadEnd(f); n != 6 || !died || err != nil {
		t.Error(n, died, err)
	}
}

// Whatever the front says, reading it ends with a message or an error.
func FuzzRead(f *testing.F) {
	f.Add(SessionOf(7, Identity{auth.Identity{Login: "ann"}}.Append(nil), About{Tag: "a"}.Append(nil)))
	f.Add(HandoverOf(3, remote.Ticket{}, []byte("about")))
	f.Add(RedeemedOf(5, Owner{Groups: []uint32{1}}, []byte("id")))
	f.Fuzz(func(t *testing.T, m []byte) {
		if _, _, about, err := ReadHandover(packet.NewFields(m)); err == nil && len(about) > maxAbout {
			t.Error("too much about a connection")
		}
		ReadRedeemed(packet.NewFields(m))
		if _, _, a, err := ReadSession(packet.NewFields(m)); err == nil && len(a.Tag) > maxTag {
			t.Error("too long a tag")
		}
	})
}

package sasl_test

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"postrider/sasl"
)

func hmacHex(mechanism, password, challenge string) string {
	newHash := map[string]func() hash.Hash{sasl.CRAMMD5: md5.New, sasl.CRAMSHA1: sha1.New, sasl.CRAMSHA256: sha256.New}[mechanism]
	m := hmac.New(newHash, []byte(password))
	m.Write([]byte(challenge))
	return hex.EncodeToString(m.Sum(nil))
}

// TestDeriveSCRAM: the keys by which the examples of RFC 5802 section 5 and RFC 7677
// section 3 are proved, in the forms of RFC 5803.
func TestDeriveSCRAM(t *testing.T) {
	for _, c := range []struct{ mechanism, salt, want string }{
		{sasl.SCRAMSHA256, "[m\x99h\x9d\x125\x8e\xec\xa0K\x14\x126\xfa\x81",
			"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="},
		{sasl.SCRAMSHA1, "A%\xc2G\xe4:\xb1\xe9<m\xffv", "SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:D+CSWLOshSulAsxiupA+qs2/fTE="},
	} {
		k, err := sasl.DeriveSCRAM(c.mechanism, "pencil", []byte(c.salt), 4096)
		if err != nil || k.Text(c.mechanism) != c.want {
			t.Errorf("%s, %v", k.Text(c.mechanism), err)
		}
		mechanism, back, err := sasl.ParseSCRAM(c.want)
		if err != nil || mechanism != c.mechanism || back.Text(mechanism) != c.want {
			t.Errorf("%s, %v, %v", mechanism, back, err)
		}
		if !back.Match(mechanism, "pencil") || back.Match(mechanism, "pencils") {
			t.Error("matches wrong")
		}
	}
	for _, bad := range []string{"", "SCRAM-SHA-256", "SCRAM-SHA-256$", "{SCRAM-SHA-256}1,2,3,4", "SCRAM-SHA-256$0:W22ZaJ0SNY7soEsUEjb6gQ==$x:y", strings.Repeat("x", 2000)} {
		if _, _, err := sasl.ParseSCRAM(bad); !errors.Is(err, sasl.ErrSCRAMKeys) {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
}

// scramCase is one exchange with a client of another hand.
type scramCase struct {
	what            string
	login, password string
	authorize       string
	offered         sasl.Bindings // by the server
	bound           bool          // the -PLUS form
	binding         *scram.ChannelBinding
	want            error
}

func (c scramCase) run(t *testing.T, mechanism string) {
	hash := scram.SHA256
	if mechanism == sasl.SCRAMSHA1 {
		hash = scram.SHA1
	}
	client, err := hash.NewClient(c.login, c.password, c.authorize)
	if err != nil {
		t.Fatal(err)
	}
	talk := client.NewConversation()
	if c.binding != nil {
		talk = client.NewConversationWithChannelBinding(*c.binding)
	}
	server := sasl.SCRAM(sasl.SCRAMConfig{
		Mechanism: mechanism, Bindings: c.offered, Bound: c.bound,
		Keys: func(_ context.Context, login string) (sasl.SCRAMKeys, error) {
			password := "nobody's"
			if login == "us,er=x" {
				password = "pencil"
			}
			return sasl.DeriveSCRAM(mechanism, password, []byte("saltsaltsaltsalt"), 4096)
		},
		Proved: func(_ context.Context, login string, ok bool) error {
			if ok && login == "us,er=x" {
				return nil
			}
			return errWrong
		},
	})
	message, err := talk.Step("")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		challenge, done, err := server.Next(t.Context(), []byte(message))
		if err != nil {
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v", c.what, err)
			}
			return
		}
		if message, err = talk.Step(string(challenge)); err != nil {
			t.Fatalf("%s: the client says %v", c.what, err)
		}
		if done {
			if c.want != nil || !talk.Valid() {
				t.Errorf("%s: accepted; the client holds it valid: %v", c.what, talk.Valid())
			}
			return
		}
	}
	t.Errorf("%s: no end", c.what)
}

func TestSCRAM(t *testing.T) {
	exporter := &scram.ChannelBinding{Type: scram.ChannelBindingTLSExporter, Data: []byte("exported")}
	endPoint := &scram.ChannelBinding{Type: scram.ChannelBindingTLSServerEndpoint, Data: []byte("certificate")}
	stolen := &scram.ChannelBinding{Type: scram.ChannelBindingTLSExporter, Data: []byte("another connection")}
	both := sasl.Bindings{"tls-exporter": []byte("exported"), "tls-server-end-point": []byte("certificate")}
	for _, mechanism := range sasl.SCRAMMechanisms() {
		for _, c := range []scramCase{
			{what: "right", login: "us,er=x", password: "pencil"},
			{what: "authorization as oneself", login: "us,er=x", password: "pencil", authorize: "us,er=x"},
			{what: "as another", login: "us,er=x", password: "pencil", authorize: "root", want: sasl.ErrAuthorization},
			{what: "as another, wrong password", login: "us,er=x", password: "pen", authorize: "root", want: errWrong},
			{what: "wrong password", login: "us,er=x", password: "pen", want: errWrong},
			{what: "unknown", login: "nobody", password: "pencil", want: errWrong},
			{what: "not bound though offered", login: "us,er=x", password: "pencil", offered: both},
			{what: "exporter", login: "us,er=x", password: "pencil", offered: both, bound: true, binding: exporter},
			{what: "end point", login: "us,er=x", password: "pencil", offered: both, bound: true, binding: endPoint},
			{what: "another connection", login: "us,er=x", password: "pencil", offered: both, bound: true, binding: stolen, want: errWrong},
			{what: "-PLUS without binding", login: "us,er=x", password: "pencil", offered: both, bound: true, want: sasl.ErrMalformed},
			{what: "binding without -PLUS", login: "us,er=x", password: "pencil", offered: both, binding: exporter, want: sasl.ErrMalformed},
			{what: "binding that is not there", login: "us,er=x", password: "pencil", offered: sasl.Bindings{"tls-exporter": []byte("exported")}, bound: true, binding: endPoint, want: sasl.ErrMalformed},
		} {
			c.run(t, mechanism)
		}
	}
}

// TestSCRAMDowngrade: a client that could bind and was not told that it may.
func TestSCRAMDowngrade(t *testing.T) {
	keys := func(context.Context, string) (sasl.SCRAMKeys, error) { return sasl.SCRAMKeys{}, errWrong }
	for offered, want := range map[bool]error{true: sasl.ErrMalformed, false: errWrong} {
		c := sasl.SCRAMConfig{Mechanism: sasl.SCRAMSHA256, Keys: keys}
		if offered {
			c.Bindings = sasl.Bindings{"tls-exporter": []byte("x")}
		}
		if _, _, err := sasl.SCRAM(c).Next(t.Context(), []byte("y,,n=user,r=nonce")); !errors.Is(err, want) {
			t.Errorf("offered %v: %v", offered, err)
		}
	}
}

// FuzzSCRAM: no messages of a client that has no password are accepted.
func FuzzSCRAM(f *testing.F) {
	f.Add([]byte("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"), []byte("c=biws,r=x,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="))
	f.Add([]byte("p=tls-exporter,a=x,n=u=2Cs,r=a"), []byte("c=,r=,p="))
	f.Add([]byte("y,,m=,n=,r="), []byte(",,,"))
	f.Fuzz(func(t *testing.T, first, final []byte) {
		s := sasl.SCRAM(sasl.SCRAMConfig{
			Mechanism: sasl.SCRAMSHA1,
			Keys: func(_ context.Context, login string) (sasl.SCRAMKeys, error) {
				return sasl.SCRAMKeys{Salt: []byte("s"), Iterations: 1, StoredKey: make([]byte, 20), ServerKey: make([]byte, 20)}, nil
			},
			Proved: func(_ context.Context, login string, ok bool) error {
				if ok {
					t.Fatal("proved")
				}
				return errWrong
			},
		})
		for i, message := range [][]byte{first, final} {
			challenge, done, err := s.Next(t.Context(), append([]byte{}, message...))
			if done || i == 1 && err == nil {
				t.Fatalf("accepted with %q", challenge)
			}
			if err != nil {
				if !errors.Is(err, sasl.ErrMalformed) && !errors.Is(err, errWrong) {
					t.Fatal(err)
				}
				return
			}
		}
	})
}

// FuzzParseSCRAM: a stored text is refused, or comes back as it was.
func FuzzParseSCRAM(f *testing.F) {
	f.Add("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")
	f.Add("{SCRAM-SHA-1}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=")
	f.Fuzz(func(t *testing.T, text string) {
		mechanism, k, err := sasl.ParseSCRAM(text)
		if err != nil {
			return
		}
		again, back, err := sasl.ParseSCRAM(k.Text(mechanism))
		if err != nil || again != mechanism || back.Text(again) != k.Text(mechanism) {
			t.Fatal(again, back, err)
		}
	})
}

func TestExternal(t *testing.T) {
	look := func(_ context.Context, authorize string) error {
		if authorize == "" || authorize == "ann" {
			return nil
		}
		return sasl.ErrAuthorization
	}
	for response, want := range map[string]error{"": nil, "ann": nil, "bob": sasl.ErrAuthorization, "a\x00": sasl.ErrMalformed, "\xff": sasl.ErrMalformed, strings.Repeat("x", 2000): sasl.ErrMalformed} {
		if _, done, err := run(t, sasl.External(look), nil, []byte(response)); !errors.Is(err, want) || done != (want == nil) {
			t.Errorf("%.20q: %v, %v", response, done, err)
		}
		if _, done, err := run(t, sasl.External(look), []byte(response)); !errors.Is(err, want) || done != (want == nil) {
			t.Errorf("initial %.20q: %v, %v", response, done, err)
		}
	}
}

package sasl_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"postrider/sasl"
)

// The vectors of Courier's userdbpw and of an exchange with it.
const courierChallenge = "<1234567890ABCDEF1234567890ABCDEF@mx>"

func TestPrepareCRAM(t *testing.T) {
	for mechanism, want := range map[string]string{
		sasl.CRAMMD5:    "cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56",
		sasl.CRAMSHA1:   "091e0f4c6cb5277ee2beb639a60d0831b5c8adcdaee172433df3e96ba4f00fb1b6a490c3929d2034",
		sasl.CRAMSHA256: "5a84072aab37d22275b139adf7a92564c7f674be98e77d991f6f689d29e0524572804f31b042016804d3dea2f4e991a21b1c8906be161594b202fb74afc8ceb3",
	} {
		got, err := sasl.PrepareCRAM(mechanism, "secret")
		if err != nil || got != want {
			t.Errorf("%s: %s, %v", mechanism, got, err)
		}
	}
	if _, err := sasl.PrepareCRAM("CRAM-MD4", "secret"); err == nil {
		t.Error("an unknown mechanism")
	}
}

func TestCheckCRAM(t *testing.T) {
	const digest = "39ce1c542f85a48f9b7ace19969e1dc1"
	prepared, err := sasl.PrepareCRAM(sasl.CRAMMD5, "secret")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := sasl.CheckCRAM(sasl.CRAMMD5, prepared, courierChallenge, digest); !ok || err != nil {
		t.Error(ok, err)
	}
	if !sasl.CheckCRAMPassword(sasl.CRAMMD5, "secret", courierChallenge, digest) {
		t.Error("not by the password")
	}
	// RFC 2195 section 2.
	const rfc = "<1896.697170952@postoffice.reston.mci.net>"
	if !sasl.CheckCRAMPassword(sasl.CRAMMD5, "tanstaaftanstaaf", rfc, "b913a602c7eda7a495b4e6e7334d3890") {
		t.Error("the RFC's example")
	}
	for _, bad := range []string{"", "zz", prepared[2:], prepared + "00"} {
		if ok, err := sasl.CheckCRAM(sasl.CRAMMD5, bad, courierChallenge, digest); ok || err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v, %v", bad, ok, err)
		}
	}
	if ok, _ := sasl.CheckCRAM(sasl.CRAMSHA1, prepared, courierChallenge, digest); ok {
		t.Error("another mechanism's secret")
	}
	for _, mechanism := range sasl.CRAMMechanisms() {
		for _, password := range []string{"x", "secret", "pä\xff", strings.Repeat("long", 50)} {
			prepared, err := sasl.PrepareCRAM(mechanism, password)
			if err != nil {
				t.Fatal(err)
			}
			// All 512 bits of every length around the block, by both ways.
			for n := range 130 {
				challenge := strings.Repeat("c", n)
				digest := digestOf(t, mechanism, prepared, password, challenge)
				if ok, err := sasl.CheckCRAM(mechanism, prepared, challenge, digest); !ok || err != nil {
					t.Fatalf("%s, %d: %v, %v", mechanism, n, ok, err)
				}
			}
		}
	}
}

// digestOf finds the digest of a password by the standard library.
func digestOf(t *testing.T, mechanism, prepared, password, challenge string) string {
	t.Helper()
	digest := hmacHex(mechanism, password, challenge)
	if !sasl.CheckCRAMPassword(mechanism, password, challenge, digest) {
		t.Fatalf("%s differs from HMAC", mechanism)
	}
	return digest
}

func TestCRAM(t *testing.T) {
	right := func(_ context.Context, login, challenge, response string) error {
		_, digest, err := sasl.ParseCRAM([]byte(response))
		if err == nil && login == "john smith" && sasl.CheckCRAMPassword(sasl.CRAMMD5, "secret", challenge, digest) {
			return nil
		}
		return errWrong
	}
	digest := hmacHex(sasl.CRAMMD5, "secret", courierChallenge)
	for _, c := range []struct {
		what, response string
		want           error
	}{
		{"right", "john smith " + digest, nil},
		{"other user", "smith " + digest, errWrong},
		{"wrong digest", "john smith 0" + digest[1:], errWrong},
		{"upper case", "john smith " + strings.ToUpper(digest), sasl.ErrMalformed},
		{"no name", " " + digest, sasl.ErrMalformed},
		{"no digest", "john smith", sasl.ErrMalformed},
		{"empty", "", sasl.ErrMalformed},
		{"NUL", "jo\x00hn " + digest, sasl.ErrMalformed},
		{"long name", strings.Repeat("x", 2000) + " " + digest, sasl.ErrMalformed},
		{"long digest", "john " + strings.Repeat("a", 65), sasl.ErrMalformed},
	} {
		challenges, done, err := run(t, sasl.CRAM(courierChallenge, right), nil, []byte(c.response))
		if !errors.Is(err, c.want) || done != (c.want == nil) || challenges[0] != courierChallenge {
			t.Errorf("%s: %v, %v, %q", c.what, done, err, challenges)
		}
	}
	if _, _, err := run(t, sasl.CRAM(courierChallenge, right), []byte("john smith "+digest)); !errors.Is(err, sasl.ErrMalformed) {
		t.Errorf("initial response: %v", err)
	}
	a, b := sasl.NewChallenge("mx.example.com"), sasl.NewChallenge("mx.example.com")
	if a == b || !regexp.MustCompile(`^<[0-9A-F]{32}@mx\.example\.com>$`).MatchString(a) {
		t.Error(a, b)
	}
}

// FuzzCRAM: what is asked for is made of the response alone.
func FuzzCRAM(f *testing.F) {
	f.Add([]byte("john 39ce1c542f85a48f9b7ace19969e1dc1"))
	f.Add([]byte(" "))
	f.Add([]byte("a b c 39ce1c542f85a48f9b7ace19969e1dc1"))
	f.Fuzz(func(t *testing.T, response []byte) {
		if response == nil {
			response = []byte{}
		}
		asked := false
		s := sasl.CRAM(courierChallenge, func(_ context.Context, login, challenge, got string) error {
			asked = true
			if login == "" || challenge != courierChallenge || got != string(response) || !strings.HasPrefix(got, login+" ") {
				t.Fatalf("asked for %q", login)
			}
			return errWrong
		})
		if _, _, err := s.Next(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if _, done, err := s.Next(t.Context(), response); done || asked != errors.Is(err, errWrong) || !asked && !errors.Is(err, sasl.ErrMalformed) {
			t.Fatal(done, err)
		}
	})
}

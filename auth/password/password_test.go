package password

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestCrypt holds the families of crypt(3) against what libxcrypt computed.
func TestCrypt(t *testing.T) {
	f, err := os.Open("testdata/crypt.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v := NewVerifier(Limits{})
	count := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		text, stored, found := strings.Cut(lines.Text(), " ")
		if !found || strings.HasPrefix(text, "#") {
			continue
		}
		password, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		check(t, v, stored, string(password))
		count++
	}
	if count < 80 {
		t.Errorf("%d vectors only", count)
	}
}

// TestDigests holds the other forms against what courier-authlib and Dovecot
// made of "secret".
func TestDigests(t *testing.T) {
	v := NewVerifier(Limits{})
	for _, stored := range []string{
		"{PLAIN}secret", "{plain}secret", "{CLEARTEXT}secret",
		"{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", "{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", "{md5}Xr4ilOzQ4PCOq3aQ0qbuaQ",
		"{MD5RAW}5ebe2294ecd0e0f08eab7690d2a6ee69", "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
		"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
		"{SSHA}ii9pDmQrU2R0b0NTcyaJcRwvu+zRrQt3", "{SSHA}IuNo8LUrZZ7mTDHqvNVRxzjGqz13K4xR",
		"{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
		"{SHA512}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW/isg==",
		"{SSHA256}MkzoazGFw0QgCv1w1AV/WIRBsLRdwOYc+/W8PzuKGq6zM5Vj",
		"{SSHA512}dDCUQmbZfbiiUSw3ssXevyk18EzpdDclUCdmgFLLDdvVyUhlzTrxW20L+x5EG8kNbZrFoIXS5h3gI1i4TqeDZvcUl6g=",
		"{SMD5}z277YcWVJYIIqIHSE5s3yz38X8k=",
		"$1$G7S2eOoF$qtcmuN7EnfGYwKVPTw9tR.", "{CRYPT}$1$G7S2eOoF$qtcmuN7EnfGYwKVPTw9tR.", "{MD5}$1$G7S2eOoF$qtcmuN7EnfGYwKVPTw9tR.",
		"{DES-CRYPT}3MXR538XkimuY",
		"{BLF-CRYPT}$2y$05$TXsz84KD88mnEVD0dMYBLOaKi5Z3xSw8d/8wZbF.fMOxcrRzz7zgq",
		"{ARGON2I}$argon2i$v=19$m=32768,t=5,p=1$2KdsuCQlGqTLg+4e+g44RQ$kAjp3d0v3V44a7uIy1F1fC9Xf94LfAbPNQvhcGfYN1I",
	} {
		check(t, v, stored, "secret")
	}
}

// TestArgon2id uses the vector of the reference implementation's test.c.
func TestArgon2id(t *testing.T) {
	check(t, NewVerifier(Limits{}), "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password")
}

func check(t *testing.T, v *Verifier, stored, password string) {
	t.Helper()
	if ok, err := v.Verify(t.Context(), stored, password); !ok || err != nil {
		t.Errorf("%s: %q gives %v, %v", stored, password, ok, err)
	}
	// One that differs in its first character: some forms ignore the later ones.
	wrong := string(password[0]^1) + password[1:]
	if ok, err := v.Verify(t.Context(), stored, wrong); ok || err != nil {
		t.Errorf("%s: %q gives %v, %v", stored, wrong, ok, err)
	}
}

func TestRefused(t *testing.T) {
	v := NewVerifier(Limits{})
	for _, stored := range []string{
		"", "secret", "*", "!", "x", "!$6$saltsalt$x", "{", "{}", "{}x", "{PLAIN", "{NOSUCH}x", "{CRYPT}", "{CRYPT}{PLAIN}x",
		"{MD5}", "{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQAA", "{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "{SHA}ii9pDmQrU2R0b0NTcyaJcRwvu+zRrQt3",
		"{MD5RAW}zz", "{SHA}!", "$", "$$", "$1$", "$1$toolongsalt$qtcmuN7EnfGYwKVPTw9tR.", "$1$G7S2eOoF$",
		"$6$rounds=999$s$" + strings.Repeat("a", 86), "$6$rounds=1000001$s$" + strings.Repeat("a", 86),
		"$6$rounds=01000$s$" + strings.Repeat("a", 86), "$6$rounds=99999999999999999999$s$" + strings.Repeat("a", 86),
		"$2y$16$TXsz84KD88mnEVD0dMYBLOaKi5Z3xSw8d/8wZbF.fMOxcrRzz7zgq", "$2x$05$TXsz84KD88mnEVD0dMYBLOaKi5Z3xSw8d/8wZbF.fMOxcrRzz7zgq",
		"$2y$31$TXsz84KD88mnEVD0dMYBLOaKi5Z3xSw8d/8wZbF.fMOxcrRzz7zgq", "$2y$-1$TXsz84KD88mnEVD0dMYBLOaKi5Z3xSw8d/8wZbF.fMOxcrRzz7zgq",
		"$argon2id$v=19$m=1048576,t=5,p=1$UA0B9SrvKfxDMBjsh4Ht2g$Wm64fVPJjy0X0Pi8PhgnnO7B5XV23NU8aF/0KXaIl/E", // 1 GiB
		"$argon2id$v=19$m=65536,t=1000,p=1$UA0B9SrvKfxDMBjsh4Ht2g$Wm64fVPJjy0X0Pi8PhgnnO7B5XV23NU8aF/0KXaIl/E",
		"$argon2id$v=19$m=4294967296,t=1,p=1$UA0B9SrvKfxDMBjsh4Ht2g$Wm64fVPJjy0X0Pi8PhgnnO7B5XV23NU8aF/0KXaIl/E",
		"$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=256,t=2,p=255$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$7$zU..../....saltsalt$NUwJnl2EzU4ACwYC9BDHKGDt.PCVFKyF6Hlr/CUA09D",
		"$7$CU..../zzzzsaltsalt$NUwJnl2EzU4ACwYC9BDHKGDt.PCVFKyF6Hlr/CUA09D",
		"$y$jFT$abcdefgh$IUWJt2doU4Kf6E/JP1UkAT3S5O3Q7SSA8SJirXIlEu9", "$y$jzT$abcdefgh$IUWJt2doU4Kf6E/JP1UkAT3S5O3Q7SSA8SJirXIlEu9",
		"$y$.75$abcdefgh$sBz7VOoz/EZyelnQR0TLKmdxpHZ4PyopWDcIKSc03Z0",
		"$gy$j9T$abcdefgh$Fi3mUfLMwr2ZyDlmydp6rw5RwzYJnsb1LquZlQ2CYq0",
		"_zzzz9rasmz0.F/jqjWck", "_....9rasmz0.F/jqjWck", "abNANd1rDfiN", "abNANd1rDfiN:", strings.Repeat("x", 5000),
	} {
		if ok, err := v.Verify(t.Context(), stored, "secret"); ok || !errors.Is(err, ErrUnsupported) {
			t.Errorf("%.60q gives %v, %v", stored, ok, err)
		}
	}
}

func TestNothingMatchesNothing(t *testing.T) {
	v := NewVerifier(Limits{})
	if ok, _ := v.Verify(t.Context(), "{PLAIN}", ""); ok {
		t.Error("an empty stored password matched")
	}
	// $1$ of the empty string; a NUL or an endless password is no match either.
	for _, password := range []string{"secret\x00", "\x00", strings.Repeat("x", 512), strings.Repeat("x", 1<<20)} {
		if ok, err := v.Verify(t.Context(), "$1$G7S2eOoF$qtcmuN7EnfGYwKVPTw9tR.", password); ok || err != nil {
			t.Errorf("%.10q gives %v, %v", password, ok, err)
		}
	}
}

func TestWaste(t *testing.T) {
	v := NewVerifier(Limits{})
	for _, like := range []string{"", "{NOSUCH}", "{PLAIN}x", "$2y$31$TXsz84KD88mnEVD0dMYBLOaKi5Z3xSw8d/8wZbF.fMOxcrRzz7zgq"} {
		if err := v.Waste(t.Context(), like, "secret"); err != nil {
			t.Errorf("%q: %v", like, err)
		}
	}
	if _, err := parse(usual); err != nil {
		t.Error(err)
	}
}

// TestBounds: with all workers busy a check waits, and ends with its context.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := NewVerifier(Limits{Workers: 1, Memory: 1 << 20})
		busy, release := make(chan struct{}), make(chan struct{})
		slow := hash{memory: 1 << 20, match: func(string) bool { close(busy); <-release; return true }}
		done := make(chan bool)
		go func() {
			ok, _ := v.compute(context.Background(), slow, "")
			done <- ok
		}()
		<-busy
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if ok, err := v.Verify(ctx, "{PLAIN}secret", "secret"); ok || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, %v", ok, err)
		}
		close(release)
		if !<-done {
			t.Error("the busy one failed")
		}
		check(t, v, "{PLAIN}secret", "secret")
	})
}

// FuzzParse: no text makes the parser fail otherwise than with ErrUnsupported,
// and what is cheap can be computed.
func FuzzParse(f *testing.F) {
	for _, s := range []string{usual, "{SSHA}ii9pDmQrU2R0b0NTcyaJcRwvu+zRrQt3", "$2y$05$TXsz84KD88mnEVD0dMYBLOaKi5Z3xSw8d/8wZbF.fMOxcrRzz7zgq",
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "$7$8U..../....saltsalt$NUwJnl2EzU4ACwYC9BDHKGDt.PCVFKyF6Hlr/CUA09D",
		"$y$j75$abcdefgh$uMUXG79B2cFpoAYyDccUnsaH/aGTyBYMlnQidzyag01", "_J9..rasmz0.F/jqjWck", "abNANd1rDfiNc", "$md5,rounds=100$saltsalt$$rgAdXqlcPXRb8MLDhwIsL/"} {
		f.Add(s)
	}
	v := NewVerifier(Limits{Memory: 1 << 20})
	f.Fuzz(func(t *testing.T, stored string) {
		h, err := v.parse(stored)
		if err != nil {
			if !errors.Is(err, ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		if h.memory <= 0 || h.memory > 1<<20 || h.traffic > 8<<20 {
			t.Fatalf("costs %d and %d bytes", h.memory, h.traffic)
		}
		if strings.HasPrefix(stored, "$7$") || strings.HasPrefix(stored, "$y$") || strings.HasPrefix(stored, "$argon2") {
			h.match("secret")
		}
	})
}

package password

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"postrider/sasl"
)

// TestDerived holds PBKDF2, scrypt and SCRAM against what Python's hashlib and
// Dovecot made of "secret".
func TestDerived(t *testing.T) {
	v := NewVerifier(Limits{})
	for _, stored := range []string{
		"$pbkdf2$1000$MDEyMzQ1Njc4OWFiY2RlZg$21EupWTmSOvnK3Sp99FL7THUyuQ",
		"{PBKDF2}1000$MDEyMzQ1Njc4OWFiY2RlZg$21EupWTmSOvnK3Sp99FL7THUyuQ",
		"$pbkdf2-sha256$1000$MDEyMzQ1Njc4OWFiY2RlZg$tiKWHy4FAGCWE8gn6GtKhaxD2OeeAUUWXFT/p1aaNl8",
		"{PBKDF2-SHA256}1000$MDEyMzQ1Njc4OWFiY2RlZg$tiKWHy4FAGCWE8gn6GtKhaxD2OeeAUUWXFT/p1aaNl8",
		"$pbkdf2-sha512$1000$MDEyMzQ1Njc4OWFiY2RlZg$vgFvU7zWIDgDAUi7d8ayt.cfRiPWVVWfv8iQRsGZaZviWzsSNgWYXEE5PmvI/VELMsOmEbqLz0PKuePNjOk41A",
		"{PBKDF2-SHA512}1000$MDEyMzQ1Njc4OWFiY2RlZg$vgFvU7zWIDgDAUi7d8ayt.cfRiPWVVWfv8iQRsGZaZviWzsSNgWYXEE5PmvI/VELMsOmEbqLz0PKuePNjOk41A",
		"$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$S7FwBvpu+z8K0PUVUagFRTUAB2dAxIZpzVHvLZir+98",
		"{PBKDF2}$1$tzvw//Gj/R2tyAks$5000$8384d0733f9e51472a8461bee39b7073037e143f",
		"{SCRAM-SHA-1}4096,7n6IIYANu6YMqPB4m4tjQw==,4aH9MpeL4sXhav4JA2YPBYw44WI=,ADMZNb/pLRlFJAWIeK3eqhsRPww=",
		"{SCRAM-SHA-256}4096,KUS3tmMWetb/MmmsZMTW/A==,8EGTaqhtO66H5zxrmEXhWYJKt16Ty8PnwyzxNYzUomA=,EObaKe1cUaXIBzZ/txit681dZ0W32/VzFK6SwiHxUNU=",
		"SCRAM-SHA-256$4096:KUS3tmMWetb/MmmsZMTW/A==$8EGTaqhtO66H5zxrmEXhWYJKt16Ty8PnwyzxNYzUomA=:EObaKe1cUaXIBzZ/txit681dZ0W32/VzFK6SwiHxUNU=",
		"{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$jQ6516nPOLL/n14+X2ogrA$jmnOHi9U+MfOPH7yQuRfG/0kYNLIFvSyPPxVo1lA++E",
		"{CRYPT}$2y$05$YZ1img1G2F/OQjNQrcT70uFX46/LkGsPeBE3C3vTFn3iY2qwiM2Gq",
	} {
		check(t, v, stored, "secret")
	}
	for _, stored := range []string{
		"$pbkdf2-sha256$0$MDEy$tiKWHy4FAGCWE8gn6GtKhaxD2OeeAUUWXFT/p1aaNl8", "$pbkdf2-sha256$5000001$MDEy$tiKWHy4FAGCWE8gn6GtKhaxD2OeeAUUWXFT/p1aaNl8",
		"$pbkdf2-sha256$1000$MDEy$", "$pbkdf2-sha256$1000$MDEy", "{PBKDF2}$1$x$5000$zz", "{PBKDF2}$2$x$5000$8384d0733f9e51472a8461bee39b7073037e143f",
		"$scrypt$ln=25,r=8,p=1$MDEy$S7FwBvpu+z8K0PUVUagFRTUAB2dAxIZpzVHvLZir+98", "$scrypt$ln=20,r=1024,p=1$MDEy$S7FwBvpu+z8K0PUVUagFRTUAB2dAxIZpzVHvLZir+98",
		"{SCRAM-SHA-256}99999999,KUS3tmMWetb/MmmsZMTW/A==,8EGTaqhtO66H5zxrmEXhWYJKt16Ty8PnwyzxNYzUomA=,EObaKe1cUaXIBzZ/txit681dZ0W32/VzFK6SwiHxUNU=",
		"{SCRAM-SHA-256}", "{SCRAM-MD5}x", "SCRAM-",
	} {
		if ok, err := v.Verify(t.Context(), stored, "secret"); ok || !errors.Is(err, ErrUnsupported) {
			t.Errorf("%.60q gives %v, %v", stored, ok, err)
		}
	}
}

// TestMake: what is made is checked, twice made differs where there is a salt, and
// what Courier made is what is made here.
func TestMake(t *testing.T) {
	v := NewVerifier(Limits{})
	for _, name := range Schemes() {
		stored, err := Make(strings.ToLower(name), "secret")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		check(t, v, stored, "secret")
		again, _ := Make(name, "secret")
		if salted := !slices.Contains([]string{"MD5", "MD5RAW", "SHA", "SHA256", "SHA512", "PLAIN"}, name); salted == (again == stored) {
			t.Errorf("%s twice: %s, %s", name, stored, again)
		}
		for _, bad := range []string{"", "a\x00b", "a\nb", strings.Repeat("x", 600)} {
			if _, err := Make(name, bad); !errors.Is(err, ErrUnstorable) {
				t.Errorf("%s of %.10q: %v", name, bad, err)
			}
		}
	}
	for name, want := range map[string]string{
		"MD5": "{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", "MD5RAW": "{MD5RAW}5ebe2294ecd0e0f08eab7690d2a6ee69", "SHA": "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
		"SHA256": "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
	} {
		if got, _ := Make(name, "secret"); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, err := Make("NOSUCH", "secret"); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	if _, err := Make("BLF-CRYPT", strings.Repeat("x", 73)); !errors.Is(err, ErrUnstorable) {
		t.Errorf("a password whose end would not count: %v", err)
	}
}

// TestRenew: the scheme stays or gets better.
func TestRenew(t *testing.T) {
	v, seen := NewVerifier(Limits{}), make(map[string]bool)
	for old, prefix := range map[string]string{
		"{PLAIN}old": "{PLAIN}", "$6$x$y": "$6$", "$5$x$y": "$5$", "$2y$05$x": "$2y$", "{BLF-CRYPT}$2y$05$x": "{BLF-CRYPT}$2y$", "{CRYPT}$2b$05$x": "{CRYPT}$2y$",
		"$1$x$y": "$6$", "{SSHA}x": "{CRYPT}$6$", "{MD5}$1$x$y": "{CRYPT}$6$", "{MD5}x": "{CRYPT}$6$", "3MXR538XkimuY": "$6$", "{CRYPT}3MXR538XkimuY": "{CRYPT}$6$", "": "$6$",
		"$argon2id$v=19$x": "$argon2id$", "{ARGON2ID}$argon2id$v=19$x": "{ARGON2ID}$argon2id$",
		"{SCRAM-SHA-256}4096,x": "{SCRAM-SHA-256}4096,", "SCRAM-SHA-1$4096:x": "{SCRAM-SHA-1}", "{PBKDF2}$1$x": "{PBKDF2-SHA256}", "$pbkdf2-sha512$x": "{PBKDF2-SHA256}",
		"$y$j9T$x$y": "$6$", "{MD5-CRYPT}$1$x$y": "{CRYPT}$6$",
	} {
		stored, err := Renew(old, "secret")
		if err != nil || !strings.HasPrefix(stored, prefix) {
			t.Errorf("for %s: %s, %v", old, stored, err)
			continue
		}
		if !seen[prefix] { // it is slow, as it should be
			check(t, v, stored, "secret")
		}
		seen[prefix] = true
	}
}

func TestForMechanism(t *testing.T) {
	scram, err := Make(sasl.SCRAMSHA256, "secret")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ stored, mechanism, clear, prepared string }{
		{"{PLAIN}secret", sasl.CRAMMD5, "secret", ""},
		{"{cleartext}secret", sasl.SCRAMSHA1, "secret", ""},
		{"{PLAIN}", sasl.CRAMMD5, "", ""},
		{scram, sasl.SCRAMSHA256, "", scram},
		{scram, sasl.SCRAMSHA1, "", ""},
		{scram, sasl.CRAMMD5, "", ""},
		{"{SCRAM-SHA-256}x", sasl.SCRAMSHA256, "", ""},
		{"$6$x", sasl.SCRAMSHA256, "", ""},
		{"", sasl.SCRAMSHA256, "", ""},
	} {
		clear, prepared, ok := ForMechanism(c.stored, c.mechanism)
		if clear != c.clear || prepared != c.prepared || ok != (c.clear+c.prepared != "") {
			t.Errorf("%s for %s: %q, %q, %v", c.stored, c.mechanism, clear, prepared, ok)
		}
	}
	if got := Mechanisms(scram); !slices.Equal(got, []string{sasl.SCRAMSHA256}) {
		t.Error(got)
	}
	if got := Mechanisms("{PLAIN}x"); len(got) != 5 {
		t.Error(got)
	}
}

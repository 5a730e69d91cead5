package userdb

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"postrider/auth"
	"postrider/auth/conformance"
	"postrider/auth/password"
	"postrider/sasl"
)

func open(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(path, Options{Verifier: password.NewVerifier(password.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// TestForms goes through every mechanism, and changes of the password, for each way
// in which a password is kept.
func TestForms(t *testing.T) {
	for _, stored := range []string{
		"{PLAIN}secret",
		"{SCRAM-SHA-256}4096,KUS3tmMWetb/MmmsZMTW/A==,8EGTaqhtO66H5zxrmEXhWYJKt16Ty8PnwyzxNYzUomA=,EObaKe1cUaXIBzZ/txit681dZ0W32/VzFK6SwiHxUNU=",
		ssha + "|hmac-md5pw=cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56|imap-hmac-sha1pw=091e0f4c6cb5277ee2beb639a60d0831b5c8adcdaee172433df3e96ba4f00fb1b6a490c3929d2034",
	} {
		t.Run(stored[:6], func(t *testing.T) {
			conformance.TestMechanisms(t, func(t *testing.T) conformance.Fixture {
				path := filepath.Join(t.TempDir(), "userdb")
				write(t, path, "# accounts\nother\tuid=1|gid=1|home=/o|systempw="+ssha+"\njohn\tuid=990|gid=990|home=/h|systempw="+stored+"\nlocked\tuid=1|gid=1|home=/l|systempw=!"+ssha+"\noff\tuid=1|gid=1|home=/f|options=disableimap=1|systempw="+stored+"\n")
				return conformance.Fixture{Backend: open(t, path), Login: "john", Password: "secret", Locked: "locked", Disabled: "off", Changes: true}
			})
		})
	}
}

// TestChangePassword: what is changed, and what is not.
func TestChangePassword(t *testing.T) {
	top := filepath.Join(t.TempDir(), "userdb")
	file := filepath.Join(top, "sub")
	if err := os.Mkdir(top, 0o700); err != nil {
		t.Fatal(err)
	}
	const before = "# x\njohn\tuid=1|gid=1|home=/h|pop3pw={PLAIN}pop|systempw=" + ssha +
		"|hmac-md5pw=cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56|pop3-hmac-md5pw=00\nlast\tno newline"
	write(t, file, before)
	db := open(t, top)
	r := auth.Request{Login: "john", Service: "imap"}
	for _, bad := range []string{"a|b", "a\nb"} {
		if err := db.ChangePassword(t.Context(), r, "secret", bad); !errors.Is(err, auth.ErrBadPassword) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := db.ChangePassword(t.Context(), r, "secret", "fresh"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	hmac, _ := sasl.PrepareCRAM(sasl.CRAMMD5, "fresh")
	for _, want := range []string{"# x\njohn\tuid=1|gid=1|home=/h|pop3pw={PLAIN}pop|systempw={CRYPT}$6$", "|hmac-md5pw=" + hmac + "|pop3-hmac-md5pw=00\nlast\tno newline"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
	if err := db.ChangePassword(t.Context(), auth.Request{Login: "john", Service: "pop3"}, "pop", "pep"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Authenticate(t.Context(), auth.Request{Login: "john", Service: "pop3"}, "pep"); err != nil {
		t.Error(err)
	}
	if _, err := db.Authenticate(t.Context(), r, "fresh"); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

// TestSecretMechanisms: what every account can use, and what some can.
func TestSecretMechanisms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "userdb")
	write(t, path, "a\tuid=1|gid=1|home=/h|systempw={PLAIN}x\nb\tuid=1|gid=1|home=/h|systempw="+ssha+"|hmac-md5pw=00\nc\tuid=1|gid=1|home=/h\n")
	db := open(t, path)
	if got := db.SecretMechanisms(true); !slices.Equal(got, []string{sasl.CRAMMD5}) {
		t.Error(got)
	}
	if got := db.SecretMechanisms(false); len(got) != 5 {
		t.Error(got)
	}
	guard := auth.Guard{Backend: auth.NewBrake(auth.Chain(db))}
	offered := func(names ...string) (all []string) {
		guard.Offer = auth.NewOffer(auth.OfferOptions{Names: names})
		for _, m := range auth.Mechanisms(guard) {
			all = append(all, m.Name)
		}
		return all
	}
	if got := offered(); !slices.Equal(got, []string{"CRAM-MD5", "PLAIN", "LOGIN"}) {
		t.Error(got)
	}
	if got := offered("PLAIN", "SCRAM-SHA-256"); !slices.Equal(got, []string{"SCRAM-SHA-256", "PLAIN"}) {
		t.Error(got)
	}
}

// FuzzEdit: other lines stay as they are, whatever is in the file.
func FuzzEdit(f *testing.F) {
	f.Add("a\tx=1\nb\ty\n", "b")
	f.Add("a", "a")
	f.Add("\n\n#\t\na\t|||", "a")
	f.Fuzz(func(t *testing.T, text, name string) {
		if name == "" || strings.ContainsAny(name, "\t\n#") {
			return
		}
		edited, err := editText(text, name, func(fields []Field, _ bool) ([]Field, error) {
			return SetField(fields, Field{Name: "new", Value: "1"}), nil
		})
		if err != nil {
			return
		}
		if !strings.Contains(edited, name+"\t") || !strings.Contains(edited, "new=1") {
			t.Fatalf("%q", edited)
		}
		removed, err := editText(edited, name, func([]Field, bool) ([]Field, error) { return nil, nil })
		if err != nil {
			t.Fatal(err)
		}
		want, err := editText(text, name, func([]Field, bool) ([]Field, error) { return nil, nil })
		if err != nil || strings.TrimSuffix(want, "\n") != strings.TrimSuffix(removed, "\n") {
			t.Fatalf("%q, not %q", removed, want)
		}
	})
}

package password

import (
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	stdhash "hash"
	"slices"
	"strings"

	"github.com/go-crypt/x/crypt"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"postrider/sasl"
)

// ErrUnstorable says that a password cannot be stored in a form: too long for it,
// or with a byte that it cannot hold.
var ErrUnstorable = errors.New("the password cannot be stored in this form")

// What new hashes cost.
const (
	madeRounds   = 100_000 // SHA-512 crypt: some 50 ms
	madeBcrypt   = 11
	madePBKDF2   = 100_000
	argon2KiB    = 19 << 10 // with two passes, what OWASP names as the least
	argon2Passes = 2
)

// scheme is a form that can be made.
type scheme struct {
	name string
	make func(password string) (string, error)
}

// schemes is the table, Courier's names first.
func schemes() []scheme {
	return []scheme{
		{"MD5", func(p string) (string, error) { return braced("MD5", md5.New, p, nil), nil }},
		{"MD5RAW", func(p string) (string, error) {
			sum := md5.Sum([]byte(p))
			return "{MD5RAW}" + hex.EncodeToString(sum[:]), nil
		}},
		{"SHA", func(p string) (string, error) { return braced("SHA", sha1.New, p, nil), nil }},
		// Four bytes of salt: Courier takes the last four for it.
		{"SSHA", func(p string) (string, error) { return braced("SSHA", sha1.New, p, salt(4)), nil }},
		{"SHA256", func(p string) (string, error) { return braced("SHA256", sha256.New, p, nil), nil }},
		{"SHA512", func(p string) (string, error) { return braced("SHA512", sha512.New, p, nil), nil }},
		{"MD5-CRYPT", func(p string) (string, error) { return makeMD5Crypt(p) }},
		{"SHA256-CRYPT", func(p string) (string, error) { return makeSHACrypt("5", p, madeRounds) }},
		{"SHA512-CRYPT", func(p string) (string, error) { return makeSHACrypt("6", p, madeRounds) }},
		{"BLF-CRYPT", makeBcrypt},
		{"ARGON2ID", makeArgon2},
		{"SSHA256", func(p string) (string, error) { return braced("SSHA256", sha256.New, p, salt(8)), nil }},
		{"SSHA512", func(p string) (string, error) { return braced("SSHA512", sha512.New, p, salt(8)), nil }},
		{"PBKDF2-SHA256", func(p string) (string, error) { return makePBKDF2(p) }},
		{sasl.SCRAMSHA256, func(p string) (string, error) { return makeSCRAM(sasl.SCRAMSHA256, p) }},
		{sasl.SCRAMSHA1, func(p string) (string, error) { return makeSCRAM(sasl.SCRAMSHA1, p) }},
		{"PLAIN", func(p string) (string, error) { return "{PLAIN}" + p, nil }},
	}
}

// Schemes are the names that Make knows.
func Schemes() []string {
	var names []string
	for _, s := range schemes() {
		names = append(names, s.name)
	}
	return names
}

// Make returns the stored form of a password, of the scheme of that name in either
// case. An error is ErrUnsupported or ErrUnstorable.
func Make(name, password string) (string, error) {
	i := slices.IndexFunc(schemes(), func(s scheme) bool { return strings.EqualFold(s.name, name) })
	if i < 0 {
		return "", unsupported("scheme %q", name)
	}
	if password == "" || len(password) > maxPhrase || strings.ContainsAny(password, "\x00\n") {
		return "", ErrUnstorable
	}
	return schemes()[i].make(password)
}

// Renew returns the stored form of a new password in the place of old: of the same
// scheme, or of a better one where old is of a weak one (anything that is not made
// to be slow), in a form that crypt(3) and so Courier can check. A password in clear
// stays in clear: mechanisms may need it.
func Renew(old, password string) (string, error) {
	scheme, rest, braced := strings.Cut(strings.TrimPrefix(old, "{"), "}")
	if !braced || !strings.HasPrefix(old, "{") {
		scheme, rest = "", old
	}
	for _, keep := range []struct{ prefix, scheme string }{
		{"$5$", "SHA256-CRYPT"}, {"$2a$", "BLF-CRYPT"}, {"$2b$", "BLF-CRYPT"}, {"$2y$", "BLF-CRYPT"}, {"$argon2", "ARGON2ID"},
	} {
		if strings.HasPrefix(rest, keep.prefix) {
			return withScheme(scheme, keep.scheme, password)
		}
	}
	switch name := strings.ToUpper(scheme); {
	case name == "PLAIN" || name == "CLEARTEXT" || name == "CLEAR":
		return Make("PLAIN", password)
	case strings.HasPrefix(name, "SCRAM-"):
		return Make(name, password)
	case strings.HasPrefix(old, sasl.SCRAMSHA1+"$"), strings.HasPrefix(old, sasl.SCRAMSHA256+"$"):
		name, _, _ := strings.Cut(old, "$")
		return Make(name, password)
	case pbkdf2Family(name) != nil, strings.HasPrefix(rest, "$pbkdf2"):
		return Make("PBKDF2-SHA256", password)
	case braced && !strings.HasSuffix(name, "CRYPT"):
		scheme = "CRYPT"
	}
	return withScheme(scheme, "SHA512-CRYPT", password)
}

// withScheme makes a form of crypt(3) behind the word in braces that stood there.
func withScheme(word, name, password string) (string, error) {
	text, err := Make(name, password)
	switch {
	case err != nil || word == "":
		return text, err
	case strings.EqualFold(word, "CRYPT") || strings.HasPrefix(strings.ToUpper(word), "ARGON2") || strings.EqualFold(word, "BLF-CRYPT"):
		return "{" + word + "}" + text, nil
	}
	return "{CRYPT}" + text, nil
}

func salt(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.Read(b) // never fails
	return b
}

// saltText is salt for crypt(3).
func saltText(size int) []byte {
	b := salt(size)
	for i := range b {
		b[i] = cryptDigits[b[i]&63]
	}
	return b
}

func braced(name string, newHash func() stdhash.Hash, password string, salt []byte) string {
	h := newHash()
	h.Write([]byte(password))
	h.Write(salt)
	return "{" + name + "}" + base64.StdEncoding.EncodeToString(append(h.Sum(nil), salt...))
}

func makeMD5Crypt(password string) (string, error) {
	salt := saltText(8)
	return fmt.Sprintf("$1$%s$%s", salt, crypt.KeyMD5Crypt([]byte(password), salt)), nil
}

func makeSHACrypt(family, password string, rounds int) (string, error) {
	newHash := sha256.New
	if family == "6" {
		newHash = sha512.New
	}
	salt := saltText(16)
	return fmt.Sprintf("$%s$rounds=%d$%s$%s", family, rounds, salt, crypt.KeySHACrypt(newHash, []byte(password), salt, rounds)), nil
}

func makeBcrypt(password string) (string, error) {
	b, err := bcrypt.GenerateFromPassword([]byte(password), madeBcrypt)
	if err != nil { // longer than 72 bytes: the rest would not count
		return "", ErrUnstorable
	}
	return "$2y$" + string(b[4:]), nil // the same, and what crypt(3) calls it
}

func makeArgon2(password string) (string, error) {
	salt := salt(16)
	key := argon2.IDKey([]byte(password), salt, argon2Passes, argon2KiB, 1, 32)
	b := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=1$%s$%s", argon2KiB, argon2Passes, b(salt), b(key)), nil
}

func makePBKDF2(password string) (string, error) {
	salt := salt(16)
	key, err := pbkdf2.Key(sha256.New, password, salt, madePBKDF2, sha256.Size)
	b := func(b []byte) string {
		return strings.ReplaceAll(base64.RawStdEncoding.EncodeToString(b), "+", ".")
	}
	return fmt.Sprintf("{PBKDF2-SHA256}%d$%s$%s", madePBKDF2, b(salt), b(key)), err
}

func makeSCRAM(mechanism, password string) (string, error) {
	k, err := sasl.DeriveSCRAM(mechanism, password, salt(16), sasl.SCRAMIterations)
	b := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("{%s}%d,%s,%s,%s", mechanism, k.Iterations, b(k.Salt), b(k.StoredKey), b(k.ServerKey)), err
}

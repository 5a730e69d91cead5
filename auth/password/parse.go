package password

import (
	"crypto/subtle"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// maxStored bounds the text of a stored password in bytes.
const maxStored = 1 << 10

// maxPhrase is the longest password that crypt(3) takes; libxcrypt fails for
// longer ones, so none can have been stored. It also keeps the work bounded,
// which for SHA crypt grows with rounds times length.
const maxPhrase = 511

// hash is a stored password, taken apart. Its rounds are in bounds; its memory
// is for the Verifier to judge.
type hash struct {
	memory  int64                      // bytes that one check takes
	traffic int64                      // bytes that it writes, where that is not a small multiple of memory
	match   func(password string) bool // does the work
}

// parse reads a stored password. It computes nothing.
func parse(stored string) (hash, error) {
	if len(stored) > maxStored {
		return hash{}, unsupported("longer than %d bytes", maxStored)
	}
	if strings.HasPrefix(stored, "SCRAM-") {
		return parseSCRAM(stored)
	}
	if !strings.HasPrefix(stored, "{") {
		return parseCrypt(stored)
	}
	scheme, value, found := strings.Cut(stored[1:], "}")
	if !found {
		return hash{}, unsupported("no closing brace")
	}
	scheme = strings.ToUpper(scheme)
	if strings.HasSuffix(scheme, "CRYPT") || strings.HasPrefix(scheme, "ARGON2") ||
		scheme == "MD5" && strings.HasPrefix(value, "$1$") { // Dovecot's old name of MD5-CRYPT
		return parseCrypt(value)
	}
	switch newHash := pbkdf2Family(scheme); {
	case strings.HasPrefix(scheme, "SCRAM-"):
		return parseSCRAM(stored)
	case newHash != nil && strings.HasPrefix(value, "$1$"):
		return parseDovecotPBKDF2(value)
	case newHash != nil:
		return parsePBKDF2(newHash, value)
	}
	return parseDigest(scheme, value)
}

// parseCrypt reads the forms of crypt(5).
func parseCrypt(stored string) (hash, error) {
	h, err := cryptFamily(stored)
	if err != nil {
		return hash{}, err
	}
	compute := h.match
	h.match = func(password string) bool {
		return len(password) <= maxPhrase && strings.IndexByte(password, 0) < 0 && compute(password)
	}
	return h, nil
}

func cryptFamily(stored string) (hash, error) {
	if !strings.HasPrefix(stored, "$") {
		return parseDES(stored)
	}
	family, rest, _ := strings.Cut(stored[1:], "$")
	switch name, _, _ := strings.Cut(family, ","); name {
	case "1":
		return parseMD5Crypt(rest)
	case "3":
		return parseNT(rest)
	case "5", "6":
		return parseSHACrypt(name, rest)
	case "sha1":
		return parseSHA1Crypt(rest)
	case "md5":
		return parseSunMD5(stored)
	case "2a", "2b", "2y":
		return parseBcrypt(stored)
	case "7":
		return parseScrypt(rest)
	case "y":
		return parseYescrypt(rest)
	case "argon2i", "argon2id":
		return parseArgon2(name, rest)
	case "pbkdf2", "pbkdf2-sha256", "pbkdf2-sha512":
		return parsePBKDF2(pbkdf2Family(name), rest)
	case "scrypt":
		return parsePasslibScrypt(rest)
	}
	return hash{}, unsupported("unknown scheme")
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsupported, fmt.Sprintf(format, args...))
}

// number reads a decimal number without sign or leading zero in [low, high].
func number(text string, low, high int) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || strconv.FormatUint(n, 10) != text {
		return 0, unsupported("not a number")
	}
	if n > math.MaxInt32 || int(n) < low || int(n) > high {
		return 0, unsupported("cost out of bounds")
	}
	return int(n), nil
}

// same compares in a time that depends on the lengths only.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

package password

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	stdhash "hash"
	"strings"

	"golang.org/x/crypto/scrypt"

	"postrider/sasl"
)

// maxPBKDF2 bounds the iterations of PBKDF2, which are a few to the microsecond.
const maxPBKDF2 = 5_000_000

// parsePBKDF2 reads what follows the scheme's name in the forms of passlib and of
// OpenLDAP's pw-pbkdf2: ROUNDS$SALT$SUM, in base64 with "." for "+".
func parsePBKDF2(newHash func() stdhash.Hash, rest string) (hash, error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 3 {
		return hash{}, unsupported("malformed PBKDF2")
	}
	rounds, err := number(fields[0], 1, maxPBKDF2)
	if err != nil {
		return hash{}, err
	}
	salt, err1 := adapted64(fields[1])
	sum, err2 := adapted64(fields[2])
	if err1 != nil || err2 != nil {
		return hash{}, unsupported("malformed PBKDF2")
	}
	return derived(newHash, salt, sum, rounds)
}

// parseDovecotPBKDF2 reads what follows "{PBKDF2}" there: $1$SALT$ROUNDS$SUM, the
// salt as it is, the sum in hexadecimal, of SHA-1.
func parseDovecotPBKDF2(value string) (hash, error) {
	fields := strings.Split(value, "$")
	if len(fields) != 5 || fields[0] != "" || fields[1] != "1" {
		return hash{}, unsupported("malformed {PBKDF2}")
	}
	rounds, err := number(fields[3], 1, maxPBKDF2)
	if err != nil {
		return hash{}, err
	}
	sum, err := hex.DecodeString(fields[4])
	if err != nil {
		return hash{}, unsupported("malformed {PBKDF2}")
	}
	return derived(sha1.New, []byte(fields[2]), sum, rounds)
}

func derived(newHash func() stdhash.Hash, salt, sum []byte, rounds int) (hash, error) {
	if len(sum) < 16 || len(sum) > newHash().Size() {
		return hash{}, unsupported("wrong length")
	}
	return hash{memory: digestMemory, match: func(password string) bool {
		if !keyable(password) {
			return false
		}
		key, err := pbkdf2.Key(newHash, password, salt, rounds, len(sum))
		return err == nil && same(string(key), string(sum))
	}}, nil
}

// keyable tells whether a password may be the key of an HMAC, which takes zeros at
// its end for nothing.
func keyable(password string) bool {
	return len(password) <= maxDigestPassword && strings.IndexByte(password, 0) < 0
}

func adapted64(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.ReplaceAll(strings.TrimRight(text, "="), ".", "+"))
}

// pbkdf2Family is the hash of the names "pbkdf2", "pbkdf2-sha1", "pbkdf2-sha256",
// "pbkdf2-sha512" in either case, nil for another.
func pbkdf2Family(name string) func() stdhash.Hash {
	switch strings.ReplaceAll(strings.ToLower(name), "_", "-") {
	case "pbkdf2", "pbkdf2-sha1":
		return sha1.New
	case "pbkdf2-sha256":
		return sha256.New
	case "pbkdf2-sha512":
		return sha512.New
	}
	return nil
}

// parsePasslibScrypt reads ln=LOG,r=R,p=P$SALT$SUM, what follows "$scrypt$".
func parsePasslibScrypt(rest string) (hash, error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 3 {
		return hash{}, unsupported("malformed $scrypt$")
	}
	var v [3]int
	costs := strings.Split(fields[0], ",")
	if len(costs) != len(v) {
		return hash{}, unsupported("malformed $scrypt$")
	}
	for i, cost := range []struct {
		name string
		high int
	}{{"ln=", 24}, {"r=", 1 << 10}, {"p=", 8}} {
		digits, found := strings.CutPrefix(costs[i], cost.name)
		if !found {
			return hash{}, unsupported("malformed $scrypt$")
		}
		var err error
		if v[i], err = number(digits, 1, cost.high); err != nil {
			return hash{}, err
		}
	}
	memory, err := blockMemory(v[0], v[1])
	if err != nil {
		return hash{}, err
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(fields[1])
	sum, err2 := base64.RawStdEncoding.DecodeString(fields[2])
	if err1 != nil || err2 != nil || len(sum) < 16 || len(sum) > 128 {
		return hash{}, unsupported("malformed $scrypt$")
	}
	return hash{memory: memory, match: func(password string) bool {
		key, err := scrypt.Key([]byte(password), salt, 1<<v[0], v[1], v[2], len(sum))
		return err == nil && same(string(key), string(sum))
	}}, nil
}

// parseSCRAM reads keys of SCRAM, of which the password can be held against.
func parseSCRAM(stored string) (hash, error) {
	mechanism, keys, err := sasl.ParseSCRAM(stored)
	if err != nil {
		return hash{}, unsupported("malformed SCRAM keys")
	}
	return hash{memory: digestMemory, match: func(password string) bool {
		return keyable(password) && keys.Match(mechanism, password)
	}}, nil
}

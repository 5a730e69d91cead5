package password

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	stdhash "hash"
	"strings"
)

// digestMemory is what a check without a tunable cost is counted for.
const digestMemory = 4 << 10

// maxDigestPassword bounds the password for the forms that have no bound of
// their own.
const maxDigestPassword = 64 << 10

// parseDigest reads the {SCHEME} forms; scheme is in upper case.
func parseDigest(scheme, value string) (hash, error) {
	switch scheme {
	case "PLAIN", "CLEARTEXT", "CLEAR":
		return plain(value), nil
	case "MD5RAW", "PLAIN-MD5":
		sum, err := hex.DecodeString(value)
		if err != nil {
			return hash{}, unsupported("not hexadecimal")
		}
		return digest(md5.New, sum, false)
	case "MD5", "LDAP-MD5":
		return encoded(md5.New, value, false)
	case "SMD5":
		return encoded(md5.New, value, true)
	case "SHA", "SHA1":
		return encoded(sha1.New, value, false)
	case "SSHA":
		return encoded(sha1.New, value, true)
	case "SHA256":
		return encoded(sha256.New, value, false)
	case "SSHA256":
		return encoded(sha256.New, value, true)
	case "SHA512":
		return encoded(sha512.New, value, false)
	case "SSHA512":
		return encoded(sha512.New, value, true)
	}
	return hash{}, unsupported("unknown scheme")
}

// encoded is digest for base64, with or without padding.
func encoded(newHash func() stdhash.Hash, value string, salted bool) (hash, error) {
	sum, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(value, "="))
	if err != nil {
		return hash{}, unsupported("not base64")
	}
	return digest(newHash, sum, salted)
}

// digest is a plain or salted digest of the password: H(password + salt) + salt.
// Courier takes salts of 4 bytes only; the tools of LDAP servers write 8 and 16.
func digest(newHash func() stdhash.Hash, stored []byte, salted bool) (hash, error) {
	size := newHash().Size()
	if len(stored) < size || salted == (len(stored) == size) {
		return hash{}, unsupported("wrong length")
	}
	sum, salt := string(stored[:size]), stored[size:]
	return hash{memory: digestMemory, match: func(password string) bool {
		if len(password) > maxDigestPassword {
			return false
		}
		h := newHash()
		h.Write([]byte(password))
		h.Write(salt)
		return same(string(h.Sum(nil)), sum)
	}}, nil
}

// plain compares digests, so that the time does not tell the length. An empty
// stored password matches nothing: it is a field that was left out.
func plain(stored string) hash {
	want := sha256.Sum256([]byte(stored))
	return hash{memory: digestMemory, match: func(password string) bool {
		if stored == "" || len(password) > maxDigestPassword {
			return false
		}
		got := sha256.Sum256([]byte(password))
		return same(string(got[:]), string(want[:]))
	}}
}

package password

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"strings"

	"github.com/go-crypt/x/crypt"
	"golang.org/x/crypto/md4" //lint:ignore SA1019 stored passwords are what they are
)

// The rounds that SHA-1, SHA-256 and SHA-512 crypt may have here. 656,000 is
// what one widely used library takes by default; a million is about a second.
const (
	minRounds     = 1000
	defaultRounds = 5000
	maxRounds     = 1_000_000
)

// parseMD5Crypt reads salt$hash, what follows "$1$".
func parseMD5Crypt(rest string) (hash, error) {
	salt, sum, found := strings.Cut(rest, "$")
	if !found || len(salt) > 8 || len(sum) != 22 {
		return hash{}, unsupported("malformed $1$")
	}
	return hash{memory: digestMemory, match: func(password string) bool {
		return same(string(crypt.KeyMD5Crypt([]byte(password), []byte(salt))), sum)
	}}, nil
}

// parseSHACrypt reads [rounds=N$]salt$hash, what follows "$5$" or "$6$".
func parseSHACrypt(family, rest string) (hash, error) {
	newHash, size := sha256.New, 43
	if family == "6" {
		newHash, size = sha512.New, 86
	}
	rounds := defaultRounds
	if text, found := strings.CutPrefix(rest, "rounds="); found {
		var err error
		text, rest, _ = strings.Cut(text, "$")
		if rounds, err = number(text, minRounds, maxRounds); err != nil {
			return hash{}, err
		}
	}
	salt, sum, found := strings.Cut(rest, "$")
	if !found || len(salt) > 16 || len(sum) != size {
		return hash{}, unsupported("malformed $%s$", family)
	}
	return hash{memory: digestMemory, match: func(password string) bool {
		return same(string(crypt.KeySHACrypt(newHash, []byte(password), []byte(salt), rounds)), sum)
	}}, nil
}

// parseSHA1Crypt reads rounds$salt$hash, what follows "$sha1$" (NetBSD).
func parseSHA1Crypt(rest string) (hash, error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 3 || len(fields[1]) > 64 || len(fields[2]) != 28 {
		return hash{}, unsupported("malformed $sha1$")
	}
	rounds, err := number(fields[0], 1, maxRounds)
	if err != nil {
		return hash{}, err
	}
	salt, sum := fields[1], fields[2]
	return hash{memory: digestMemory, match: func(password string) bool {
		return same(string(crypt.KeySHA1Crypt([]byte(password), []byte(salt), uint32(rounds))), sum)
	}}, nil
}

// parseNT reads $hash, what follows "$3$": MD4 of the octets, each with a zero octet
// behind it, as libxcrypt widens them, whatever the character set. FreeBSD's form.
func parseNT(rest string) (hash, error) {
	sum, found := strings.CutPrefix(rest, "$")
	if !found || len(sum) != 2*md4.Size {
		return hash{}, unsupported("malformed $3$")
	}
	return hash{memory: digestMemory, match: func(password string) bool {
		wide := make([]byte, 0, 2*len(password))
		for _, b := range []byte(password) {
			wide = append(wide, b, 0)
		}
		h := md4.New()
		h.Write(wide)
		return same(hex.EncodeToString(h.Sum(nil)), sum)
	}}, nil
}

// parseSunMD5 reads $md5[,rounds=N]$salt$$hash (Solaris). The form with one
// dollar before the hash, of a setting that lacked its end, is not known.
func parseSunMD5(stored string) (hash, error) {
	fields := strings.Split(stored, "$")
	if len(fields) != 5 || fields[3] != "" || len(fields[2]) > 64 || len(fields[4]) != 22 {
		return hash{}, unsupported("malformed $md5")
	}
	rounds := 0
	if text, found := strings.CutPrefix(fields[1], "md5,rounds="); found {
		var err error
		if rounds, err = number(text, 1, 200_000); err != nil {
			return hash{}, err
		}
	} else if fields[1] != "md5" {
		return hash{}, unsupported("malformed $md5")
	}
	salt, sum := fields[2], fields[4]
	return hash{memory: digestMemory, match: func(password string) bool {
		return same(string(crypt.KeyMD5CryptSun([]byte(password), []byte(salt), uint32(rounds))), sum)
	}}, nil
}

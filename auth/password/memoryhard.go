package password

import (
	"encoding/base64"
	"strings"

	"github.com/go-crypt/x/yescrypt"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// maxBcryptCost is about two seconds; each step doubles it.
const maxBcryptCost = 15

// maxMemory bounds what a hash may ask for whatever the Verifier allows, so
// that no number overflows.
const maxMemory = 4 << 30

// cryptDigits is the alphabet of crypt(3)'s base 64, in the order of the values.
const cryptDigits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// parseBcrypt reads $2?$NN$ and 53 characters. As everywhere, the bytes of a
// password after the 72nd do not count. $2x$, the broken variant for passwords
// with 8-bit characters, is not known.
func parseBcrypt(stored string) (hash, error) {
	if len(stored) != 60 || stored[6] != '$' || strings.Trim(stored[7:], cryptDigits) != "" {
		return hash{}, unsupported("malformed bcrypt")
	}
	cost, err := bcrypt.Cost([]byte(stored))
	if err != nil {
		return hash{}, unsupported("malformed bcrypt")
	}
	if cost > maxBcryptCost {
		return hash{}, unsupported("cost out of bounds")
	}
	return hash{memory: digestMemory, match: func(password string) bool {
		return bcrypt.CompareHashAndPassword([]byte(stored), []byte(password)) == nil
	}}, nil
}

// parseScrypt reads NrrrrrpppppSALT$hash, what follows "$7$": log2 N in one
// digit, r and p in five each, least significant first; the salt as it is.
func parseScrypt(rest string) (hash, error) {
	end := strings.LastIndexByte(rest, '$')
	if end < 11 || len(rest)-end-1 != 43 {
		return hash{}, unsupported("malformed $7$")
	}
	var v [3]int
	for i, digits := range []string{rest[:1], rest[1:6], rest[6:11]} {
		for j := len(digits) - 1; j >= 0; j-- {
			digit := strings.IndexByte(cryptDigits, digits[j])
			if digit < 0 {
				return hash{}, unsupported("malformed $7$")
			}
			v[i] = v[i]<<6 | digit
		}
	}
	log, r, p := v[0], v[1], v[2]
	memory, err := blockMemory(log, r)
	if err != nil || p < 1 || p > 8 {
		return hash{}, unsupported("cost out of bounds")
	}
	salt, sum := rest[11:end], rest[end+1:]
	return hash{memory: memory, match: func(password string) bool {
		key, err := scrypt.Key([]byte(password), []byte(salt), 1<<log, r, p, 32)
		return err == nil && same(string(yescrypt.Encode64(key)), sum)
	}}, nil
}

// parseYescrypt reads params$salt$hash, what follows "$y$". The parameters are
// those that crypt_gensalt(3) makes: flavour "j", log2 N and r in one digit
// each.
func parseYescrypt(rest string) (hash, error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 3 || len(fields[0]) != 3 || fields[0][0] != 'j' || len(fields[1]) > 86 || len(fields[2]) != 43 {
		return hash{}, unsupported("malformed $y$")
	}
	log := strings.IndexByte(cryptDigits, fields[0][1]) + 1
	r := strings.IndexByte(cryptDigits, fields[0][2]) + 1
	if log < 2 || log > 48 || r < 1 || r > 48 { // higher digits begin a longer number
		return hash{}, unsupported("malformed $y$")
	}
	memory, err := blockMemory(log, r)
	if err != nil {
		return hash{}, err
	}
	salt, sum := yescrypt.Decode64([]byte(fields[1])), fields[2]
	if salt == nil {
		return hash{}, unsupported("malformed $y$")
	}
	return hash{memory: memory, match: func(password string) bool {
		key, err := yescrypt.Key([]byte(password), salt, 1<<log, r, 1, 32)
		return err == nil && same(string(yescrypt.Encode64(key)), sum)
	}}, nil
}

// blockMemory is the memory of scrypt and yescrypt: 128 r N bytes.
func blockMemory(log, r int) (int64, error) {
	if log < 1 || log > 24 || r < 1 || r > 1<<10 {
		return 0, unsupported("cost out of bounds")
	}
	memory := int64(r)<<(log+7) + digestMemory
	if memory > maxMemory {
		return 0, unsupported("cost out of bounds")
	}
	return memory, nil
}

// parseArgon2 reads v=19$m=KIB,t=PASSES,p=LANES$salt$hash, what follows
// "$argon2i$" or "$argon2id$".
func parseArgon2(variant, rest string) (hash, error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 4 || fields[0] != "v=19" {
		return hash{}, unsupported("malformed %s", variant)
	}
	kib, passes, lanes, err := argon2Cost(fields[1])
	if err != nil {
		return hash{}, err
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(fields[2])
	sum, err2 := base64.RawStdEncoding.DecodeString(fields[3])
	if err1 != nil || err2 != nil || len(salt) < 8 || len(sum) < 16 || len(sum) > 128 {
		return hash{}, unsupported("malformed %s", variant)
	}
	derive := argon2.IDKey
	if variant == "argon2i" {
		derive = argon2.Key
	}
	memory := int64(kib)<<10 + digestMemory
	return hash{memory: memory, traffic: memory * int64(passes), match: func(password string) bool {
		key := derive([]byte(password), salt, uint32(passes), uint32(kib), uint8(lanes), uint32(len(sum)))
		return same(string(key), string(sum))
	}}, nil
}

func argon2Cost(text string) (kib, passes, lanes int, err error) {
	fields := strings.Split(text, ",")
	if len(fields) != 3 {
		return 0, 0, 0, unsupported("malformed Argon2 parameters")
	}
	for i, field := range []struct {
		name      string
		into      *int
		low, high int
	}{{"m=", &kib, 8, maxMemory>>10 - 4}, {"t=", &passes, 1, 1 << 10}, {"p=", &lanes, 1, 64}} {
		digits, found := strings.CutPrefix(fields[i], field.name)
		if !found {
			return 0, 0, 0, unsupported("malformed Argon2 parameters")
		}
		if *field.into, err = number(digits, field.low, field.high); err != nil {
			return 0, 0, 0, err
		}
	}
	if kib < 8*lanes {
		return 0, 0, 0, unsupported("cost out of bounds")
	}
	return kib, passes, lanes, nil
}

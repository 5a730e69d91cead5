package sasl

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"github.com/xdg-go/stringprep"
)

// The mechanisms of this family, without their -PLUS forms.
const (
	SCRAMSHA1   = "SCRAM-SHA-1"
	SCRAMSHA256 = "SCRAM-SHA-256"
)

// SCRAMIterations is what keys are derived with: RFC 7677 section 4 wants 4096 at
// least, and what goes beyond it every client has to compute, too.
const SCRAMIterations = 4096

// maxSCRAMIterations bounds the work that a stored text asks of clients and, where
// a password is held against it, of the server.
const maxSCRAMIterations = 1_000_000

// SCRAMMechanisms are the names that this package knows, the best first.
func SCRAMMechanisms() []string { return []string{SCRAMSHA256, SCRAMSHA1} }

// ErrSCRAMKeys says that a text is none of the stored forms. It tells nothing of it.
var ErrSCRAMKeys = errors.New("stored SCRAM keys are malformed")

// SCRAMKeys is what a server keeps of a password (RFC 5802 section 3).
type SCRAMKeys struct {
	Salt                 []byte
	Iterations           int
	StoredKey, ServerKey []byte
}

func scramHash(mechanism string) (func() hash.Hash, bool) {
	switch mechanism {
	case SCRAMSHA1:
		return sha1.New, true
	case SCRAMSHA256:
		return sha256.New, true
	}
	return nil, false
}

// DeriveSCRAM makes the keys of a password, which it prepares as RFC 5802 wants; one
// that cannot be prepared is taken as it is, as clients do.
func DeriveSCRAM(mechanism, password string, salt []byte, iterations int) (SCRAMKeys, error) {
	newHash, known := scramHash(mechanism)
	if !known || iterations < 1 || iterations > maxSCRAMIterations {
		return SCRAMKeys{}, ErrSCRAMKeys
	}
	if prepared, err := stringprep.SASLprep.Prepare(password); err == nil {
		password = prepared
	}
	salted, err := pbkdf2.Key(newHash, password, salt, iterations, newHash().Size())
	if err != nil {
		return SCRAMKeys{}, err
	}
	mac := func(text string) []byte {
		m := hmac.New(newHash, salted)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	stored := newHash()
	stored.Write(mac("Client Key"))
	return SCRAMKeys{Salt: salt, Iterations: iterations, StoredKey: stored.Sum(nil), ServerKey: mac("Server Key")}, nil
}

// ParseSCRAM reads the stored forms that are in use: that of RFC 5803, which
// PostgreSQL writes, too,
//
//	SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY
//
// and Dovecot's
//
//	{SCRAM-SHA-256}ITERATIONS,SALT,STOREDKEY,SERVERKEY
//
// with the binary values in base64.
func ParseSCRAM(text string) (mechanism string, k SCRAMKeys, err error) {
	var fields []string
	if name, rest, ok := strings.Cut(text, "$"); ok && !strings.HasPrefix(text, "{") {
		mechanism = name
		fields = strings.FieldsFunc(rest, func(r rune) bool { return r == ':' || r == '$' })
	} else if name, rest, ok := strings.Cut(strings.TrimPrefix(text, "{"), "}"); ok {
		mechanism = strings.ToUpper(name)
		fields = strings.Split(rest, ",")
	}
	newHash, known := scramHash(mechanism)
	if !known || len(fields) != 4 || len(text) > 1<<10 {
		return "", SCRAMKeys{}, ErrSCRAMKeys
	}
	if k.Iterations, err = strconv.Atoi(fields[0]); err != nil || k.Iterations < 1 || k.Iterations > maxSCRAMIterations {
		return "", SCRAMKeys{}, ErrSCRAMKeys
	}
	for i, into := range []*[]byte{&k.Salt, &k.StoredKey, &k.ServerKey} {
		if *into, err = base64.StdEncoding.Strict().DecodeString(fields[i+1]); err != nil {
			return "", SCRAMKeys{}, ErrSCRAMKeys
		}
	}
	if size := newHash().Size(); len(k.Salt) == 0 || len(k.StoredKey) != size || len(k.ServerKey) != size {
		return "", SCRAMKeys{}, ErrSCRAMKeys
	}
	return mechanism, k, nil
}

// Text is the form of RFC 5803.
func (k SCRAMKeys) Text(mechanism string) string {
	b := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s$%d:%s$%s:%s", mechanism, k.Iterations, b(k.Salt), b(k.StoredKey), b(k.ServerKey))
}

// Match reports whether password is the one that the keys were made of.
func (k SCRAMKeys) Match(mechanism, password string) bool {
	got, err := DeriveSCRAM(mechanism, password, k.Salt, k.Iterations)
	return err == nil && subtle.ConstantTimeCompare(got.StoredKey, k.StoredKey) == 1
}

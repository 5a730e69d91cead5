package sasl

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"slices"
)

// The mechanisms of this family.
const (
	CRAMMD5    = "CRAM-MD5"
	CRAMSHA1   = "CRAM-SHA1"
	CRAMSHA256 = "CRAM-SHA256"
)

// cramBlock is the block of all three hashes in bytes, as HMAC counts it.
const cramBlock = 64

// errCRAMKeys says nothing of the keys: they are worth a password.
var errCRAMKeys = errors.New("prepared secret is not that of the mechanism")

// cramHash is a hash, and the shape of its marshalled state: four bytes of magic,
// then the chaining variables.
type cramHash struct {
	new    func() hash.Hash
	little bool // the digest has the words with the low byte first, the state has not
}

func cramHashes(mechanism string) (cramHash, bool) {
	switch mechanism {
	case CRAMMD5:
		return cramHash{md5.New, true}, true
	case CRAMSHA1:
		return cramHash{sha1.New, false}, true
	case CRAMSHA256:
		return cramHash{sha256.New, false}, true
	}
	return cramHash{}, false
}

// CRAMMechanisms are the names that this package knows, the best first.
func CRAMMechanisms() []string { return []string{CRAMSHA256, CRAMSHA1, CRAMMD5} }

// PrepareCRAM makes of a password what a server may keep instead of it: the states
// of the hash after the outer and the inner block of HMAC (RFC 2104 section 4), in
// hexadecimal, as Courier's userdbpw -hmac-md5 prints them. It is worth the password
// to whoever can read it, for these mechanisms.
func PrepareCRAM(mechanism, password string) (string, error) {
	h, known := cramHashes(mechanism)
	if !known {
		return "", errCRAMKeys
	}
	key := []byte(password)
	if len(key) > cramBlock {
		d := h.new()
		d.Write(key)
		key = d.Sum(nil)
	}
	var out []byte
	for _, pad := range []byte{0x5c, 0x36} {
		block := make([]byte, cramBlock)
		copy(block, key)
		for i := range block {
			block[i] ^= pad
		}
		state, err := h.state(block)
		if err != nil {
			return "", err
		}
		out = append(out, state...)
	}
	return hex.EncodeToString(out), nil
}

// CheckCRAM reports whether digest is the answer to challenge that follows from
// what PrepareCRAM made. An error says that prepared is not of that kind.
func CheckCRAM(mechanism, prepared, challenge, digest string) (bool, error) {
	h, known := cramHashes(mechanism)
	if !known {
		return false, errCRAMKeys
	}
	states, err := hex.DecodeString(prepared)
	size := h.new().Size()
	if err != nil || len(states) != 2*size {
		return false, errCRAMKeys
	}
	inner, err := h.resume(states[size:])
	if err != nil {
		return false, err
	}
	inner.Write([]byte(challenge))
	outer, err := h.resume(states[:size])
	if err != nil {
		return false, err
	}
	outer.Write(inner.Sum(nil))
	want := hex.EncodeToString(outer.Sum(nil))
	return subtle.ConstantTimeCompare([]byte(want), []byte(digest)) == 1, nil
}

// CheckCRAMPassword is CheckCRAM with the password itself.
func CheckCRAMPassword(mechanism, password, challenge, digest string) bool {
	h, known := cramHashes(mechanism)
	if !known {
		return false
	}
	m := hmac.New(h.new, []byte(password))
	m.Write([]byte(challenge))
	return subtle.ConstantTimeCompare([]byte(hex.EncodeToString(m.Sum(nil))), []byte(digest)) == 1
}

// state is the chaining variables after one block, as bytes of a digest.
func (h cramHash) state(block []byte) ([]byte, error) {
	d := h.new()
	d.Write(block)
	m, err := h.marshal(d)
	if err != nil {
		return nil, err
	}
	state := slices.Clone(m[4 : 4+d.Size()])
	h.swap(state)
	return state, nil
}

// resume is a hash that has taken one block and has come to state.
func (h cramHash) resume(state []byte) (hash.Hash, error) {
	d := h.new()
	d.Write(make([]byte, cramBlock))
	m, err := h.marshal(d)
	if err != nil {
		return nil, err
	}
	copy(m[4:], state)
	h.swap(m[4 : 4+len(state)])
	u, ok := d.(encoding.BinaryUnmarshaler)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return d, u.UnmarshalBinary(m)
}

func (h cramHash) marshal(d hash.Hash) ([]byte, error) {
	m, ok := d.(encoding.BinaryMarshaler)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return m.MarshalBinary()
}

func (h cramHash) swap(state []byte) {
	if !h.little {
		return
	}
	for i := 0; i+4 <= len(state); i += 4 {
		binary.LittleEndian.PutUint32(state[i:], binary.BigEndian.Uint32(state[i:]))
	}
}

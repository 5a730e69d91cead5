package password

import (
	"math/bits"
	"strings"
)

// maxDESRounds bounds the DES operations of a BSDi hash (its count has 24 bits);
// the default there is 7,250.
const maxDESRounds = 1 << 20

// parseDES reads crypt(3)'s oldest forms: two characters of salt and eleven of
// hash, or BSDi's "_", four of count, four of salt, eleven of hash.
func parseDES(stored string) (hash, error) {
	extended := strings.HasPrefix(stored, "_")
	text := strings.TrimPrefix(stored, "_")
	if strings.Trim(text, cryptDigits) != "" || extended && len(text) != 19 || !extended && len(text) != 13 {
		return hash{}, unsupported("unknown scheme")
	}
	if !extended {
		salt, sum := little64(text[:2]), text[2:]
		return hash{memory: digestMemory, match: func(password string) bool {
			return same(desText(newDES(desKey(password)).salted(25, salt)), sum)
		}}, nil
	}
	rounds, salt, sum := little64(text[:4]), little64(text[4:8]), text[8:]
	if rounds == 0 || rounds > maxDESRounds {
		return hash{}, unsupported("cost out of bounds")
	}
	return hash{memory: digestMemory, match: func(password string) bool {
		return same(desText(newDES(bsdiKey(password)).salted(int(rounds), salt)), sum)
	}}, nil
}

// little64 reads digits of crypt's base 64, least significant first.
func little64(digits string) uint32 {
	var v uint32
	for i := len(digits) - 1; i >= 0; i-- {
		v = v<<6 | uint32(strings.IndexByte(cryptDigits, digits[i]))
	}
	return v
}

// desText writes a block as eleven digits, most significant first.
func desText(block uint64) string {
	var text [11]byte
	for i := range 10 {
		text[i] = cryptDigits[block>>(58-6*i)&63]
	}
	text[10] = cryptDigits[block<<2&63]
	return string(text[:])
}

// desKey makes a key of the first eight characters: seven bits of each, shifted
// out of the way of the parity bit.
func desKey(password string) uint64 {
	var key uint64
	for i := range 8 {
		key <<= 8
		if i < len(password) {
			key |= uint64(password[i] << 1)
		}
	}
	return key
}

// bsdiKey takes in all characters: the key so far, encrypted with itself, is
// mixed with the next eight.
func bsdiKey(password string) uint64 {
	key := desKey(password)
	for len(password) > 8 {
		password = password[8:]
		key = newDES(key).encrypt(key) ^ desKey(password)
	}
	return key
}

// des is DES (FIPS 46-3) with a key, and with what crypt(3) adds: a salt that
// swaps bits of the expansion. The standard library's DES has no place for it.
type des struct {
	keys [16][2]uint32 // 48 bits each, as two halves
	sp   [8][64]uint32 // S-boxes with the permutation P applied
}

func newDES(key uint64) *des {
	var d des
	for box := range d.sp {
		for in := range d.sp[box] {
			row, column := in>>4&2|in&1, in>>1&15
			out := uint64(desS[box][row][column]-'A') << (28 - 4*box)
			d.sp[box][in] = uint32(permuted(out, 32, desP))
		}
	}
	chosen := permuted(key, 64, desPC1)
	left, right := uint32(chosen>>28), uint32(chosen&(1<<28-1))
	for i := range d.keys {
		for range desShifts[i] - '0' {
			left = (left<<1 | left>>27) & (1<<28 - 1)
			right = (right<<1 | right>>27) & (1<<28 - 1)
		}
		k := permuted(uint64(left)<<28|uint64(right), 56, desPC2)
		d.keys[i] = [2]uint32{uint32(k >> 24), uint32(k & (1<<24 - 1))}
	}
	return &d
}

// encrypt is one DES operation.
func (d *des) encrypt(block uint64) uint64 {
	in := permuted(block, 64, desIP)
	return d.finish(d.rounds(uint32(in>>32), uint32(in), 0))
}

// salted encrypts a block of zeros n times over. The final permutation of one
// operation and the initial one of the next cancel out.
func (d *des) salted(n int, salt uint32) uint64 {
	var mask uint32 // the salt's lowest bit stands for the expansion's first
	for i := range 24 {
		mask = mask<<1 | salt>>i&1
	}
	var left, right uint32
	for range n {
		left, right = d.rounds(left, right, mask)
	}
	return d.finish(left, right)
}

// rounds are the sixteen rounds with the swap after the last.
func (d *des) rounds(left, right, mask uint32) (uint32, uint32) {
	for i := range d.keys {
		// The expansion takes six bits around each group of four, in a circle.
		var wide uint64
		for group := range 8 {
			wide = wide<<6 | uint64(bits.RotateLeft32(right, 4*group-1)>>26)
		}
		high, low := uint32(wide>>24), uint32(wide&(1<<24-1))
		swap := (high ^ low) & mask
		high ^= swap ^ d.keys[i][0]
		low ^= swap ^ d.keys[i][1]
		f := d.sp[0][high>>18&63] ^ d.sp[1][high>>12&63] ^ d.sp[2][high>>6&63] ^ d.sp[3][high&63] ^
			d.sp[4][low>>18&63] ^ d.sp[5][low>>12&63] ^ d.sp[6][low>>6&63] ^ d.sp[7][low&63]
		left, right = right, left^f
	}
	return right, left
}

func (d *des) finish(left, right uint32) uint64 {
	return permuted(uint64(left)<<32|uint64(right), 64, desFP)
}

// permuted picks bits of v, which is width bits wide: the table names them in
// the order of the result, as the standard does, the most significant being 1.
func permuted(v uint64, width int, table string) uint64 {
	var out uint64
	for i := range len(table) {
		out = out<<1 | v>>(width-int(table[i]))&1
	}
	return out
}

// The tables of FIPS 46-3: bit numbers as bytes, shifts as digits.
const (
	desShifts = "1122222212222221"
	desIP     = "" +
		"\x3a\x32\x2a\x22\x1a\x12\x0a\x02\x3c\x34\x2c\x24\x1c\x14\x0c\x04" +
		"\x3e\x36\x2e\x26\x1e\x16\x0e\x06\x40\x38\x30\x28\x20\x18\x10\x08" +
		"\x39\x31\x29\x21\x19\x11\x09\x01\x3b\x33\x2b\x23\x1b\x13\x0b\x03" +
		"\x3d\x35\x2d\x25\x1d\x15\x0d\x05\x3f\x37\x2f\x27\x1f\x17\x0f\x07"
	desFP = "" +
		"\x28\x08\x30\x10\x38\x18\x40\x20\x27\x07\x2f\x0f\x37\x17\x3f\x1f" +
		"\x26\x06\x2e\x0e\x36\x16\x3e\x1e\x25\x05\x2d\x0d\x35\x15\x3d\x1d" +
		"\x24\x04\x2c\x0c\x34\x14\x3c\x1c\x23\x03\x2b\x0b\x33\x13\x3b\x1b" +
		"\x22\x02\x2a\x0a\x32\x12\x3a\x1a\x21\x01\x29\x09\x31\x11\x39\x19"
	desP = "" +
		"\x10\x07\x14\x15\x1d\x0c\x1c\x11\x01\x0f\x17\x1a\x05\x12\x1f\x0a" +
		"\x02\x08\x18\x0e\x20\x1b\x03\x09\x13\x0d\x1e\x06\x16\x0b\x04\x19"
	desPC1 = "" +
		"\x39\x31\x29\x21\x19\x11\x09\x01\x3a\x32\x2a\x22\x1a\x12\x0a\x02" +
		"\x3b\x33\x2b\x23\x1b\x13\x0b\x03\x3c\x34\x2c\x24\x3f\x37\x2f\x27" +
		"\x1f\x17\x0f\x07\x3e\x36\x2e\x26\x1e\x16\x0e\x06\x3d\x35\x2d\x25" +
		"\x1d\x15\x0d\x05\x1c\x14\x0c\x04"
	desPC2 = "" +
		"\x0e\x11\x0b\x18\x01\x05\x03\x1c\x0f\x06\x15\x0a\x17\x13\x0c\x04" +
		"\x1a\x08\x10\x07\x1b\x14\x0d\x02\x29\x34\x1f\x25\x2f\x37\x1e\x28" +
		"\x33\x2d\x21\x30\x2c\x31\x27\x38\x22\x35\x2e\x2a\x32\x24\x1d\x20"
)

// desS are the S-boxes: four rows of sixteen values from 'A' (0) to 'P' (15).
var desS = [8][4]string{
	{"OENBCPLIDKGMFJAH", "APHEOCNBKGMLJFDI", "EBOINGCLPMJHDKFA", "PMICEJBHFLDOKAGN"},
	{"PBIOGLDEJHCNMAFK", "DNEHPCIOMABKGJLF", "AOHLKENBFIMGJDCP", "NIKBDPECLGHMAFOJ"},
	{"KAJOGDPFBNMHLECI", "NHAJDEGKCIFOMLPB", "NGEJIPDALBCMFKOH", "BKNAGJIHEPODLFCM"},
	{"HNODAGJKBCIFLMEP", "NILFGPADEHCMBKOJ", "KGJAMLHNPBDOFCIE", "DPAGKBNIJEFLMHCO"},
	{"CMEBHKLGIFDPNAOJ", "OLCMEHNBFAPKDJIG", "ECBLKNHIPJMFGDAO", "LIMHBOCNGPAJKEFD"},
	{"MBKPJCGIANDEOHFL", "KPECHMJFGBNOALDI", "JOPFCIMDHAEKBNLG", "EDCMJFPKLOBHGAIN"},
	{"ELCOPAINDMJHFKGB", "NALHEJBKODFMCPIG", "BELNMDHOKPGIAFJC", "GLNIBEKHJFAPOCDM"},
	{"NCIEGPLBKJDOFAMH", "BPNIKDHEMFGLAOJC", "HLEBJMOCAGKNPDFI", "CBOHEKINPMJADFGL"},
}

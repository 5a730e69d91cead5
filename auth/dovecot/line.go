package dovecot

import (
	"bufio"
	"encoding/base64"
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"postrider/auth"
	"postrider/sasl"
)

// maxLine bounds a line: the largest response of SASL in base64, and the parameters.
const maxLine = (sasl.MaxResponse+2)/3*4 + 2<<10

var (
	errProtocol = errors.New("the other side does not follow the protocol")
	errBase64   = errors.New("malformed base64")
)

// readLine reads a line without its LF. r's buffer may be smaller than a line.
func readLine(r *bufio.Reader) (string, error) {
	var long []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(long)+len(part) > maxLine {
			return "", errProtocol
		}
		switch {
		case err == nil && long == nil:
			return string(part[:len(part)-1]), nil
		case err == nil:
			return string(append(long, part[:len(part)-1]...)), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		}
		long = append(long, part...)
	}
}

// escapes are how a byte that a line cannot hold is written.
func escapes() []string {
	return []string{"\x01", "\x011", "\x00", "\x010", "\t", "\x01t", "\r", "\x01r", "\n", "\x01n"}
}

func escape(s string) string { return strings.NewReplacer(escapes()...).Replace(s) }

func unescape(s string) string {
	if !strings.Contains(s, "\x01") {
		return s
	}
	pairs := escapes()
	for i := 0; i < len(pairs); i += 2 {
		pairs[i], pairs[i+1] = pairs[i+1], pairs[i]
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// opening is an AUTH line.
type opening struct {
	id        uint32
	mechanism string
	request   auth.Request
	initial   []byte // nil: none was sent
	finalOK   bool   // what comes with success may stand in the OK line
}

// parseOpening reads the words after AUTH:
//
//	id HT mechanism HT service=NAME *(HT parameter) [HT resp=BASE64]
//
// resp comes last, so that nothing in it can be taken for a parameter. Parameters that
// are not known are passed over. errBase64 comes with the id.
func parseOpening(words []string) (*opening, error) {
	if len(words) < 3 {
		return nil, errProtocol
	}
	id, err := parseID(words[0])
	if err != nil {
		return nil, err
	}
	o := &opening{id: id, mechanism: strings.ToUpper(words[1])}
	var remote netip.Addr
	var port uint16
	for i, word := range words[2:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "service":
			o.request.Service = service(unescape(value))
		case "secured":
			o.request.TLS = true
		case "final-resp-ok":
			o.finalOK = true
		case "rip":
			remote, _ = netip.ParseAddr(value)
		case "rport":
			n, _ := strconv.ParseUint(value, 10, 16)
			port = uint16(n)
		case "resp":
			if i != len(words)-3 {
				return nil, errProtocol
			}
			if o.initial, err = decode(value); err != nil {
				return o, err
			}
		}
	}
	if o.request.Service == "" {
		return nil, errProtocol
	}
	if remote.IsValid() {
		o.request.Remote = netip.AddrPortFrom(remote, port)
	}
	return o, nil
}

// maxService bounds the name of a service.
const maxService = 64

// service is the name by which accounts know a service: Courier's for the one that
// mail servers ask for. It becomes part of the names of fields and of PAM's files.
func service(name string) string {
	name = strings.ToLower(name)
	switch {
	case name == "smtp":
		return "esmtp"
	case len(name) > maxService || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "":
		return ""
	}
	return name
}

func parseID(word string) (uint32, error) {
	id, err := strconv.ParseUint(word, 10, 32)
	if err != nil || id == 0 {
		return 0, errProtocol
	}
	return uint32(id), nil
}

// decode never returns nil with a nil error: an empty response is one.
func decode(word string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(word)
	if err != nil || len(b) > sasl.MaxResponse {
		return nil, errBase64
	}
	return append([]byte{}, b...), nil
}

package mkimapdcert

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strconv"
	"strings"
)

// request is what imapd.cnf asks for.
type request struct {
	name  pkix.Name
	email string
	names []string // DNS names beside the common name
	bits  int
	days  int
}

// maxDays is the longest life that can be asked for.
const maxDays = 36500

// parse reads OpenSSL's form (sections, of which [req] has default_bits and the one that
// its distinguished_name names has the fields) or a template of GnuTLS's certtool
// (organization = "..."), which it tells apart by the words.
func parse(text string) (*request, error) {
	r := &request{bits: 2048, days: 365}
	section, subject := "", "req_dn"
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSpace(strings.TrimSuffix(name, "]"))
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			if section == "" { // a word alone is a use of the key, in certtool's form
				continue
			}
			return nil, fmt.Errorf("line %d: no \"=\" in %.60q", n+1, line)
		}
		key, value = strings.ToLower(strings.TrimSpace(key)), unquote(strings.TrimSpace(value))
		if section == "req" && key == "distinguished_name" {
			subject = value
		}
		if section != "" && section != subject && section != "req" {
			continue
		}
		if err := r.set(key, value); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	if r.name.CommonName == "" {
		return nil, fmt.Errorf("there is no common name (CN=... or cn = ...)")
	}
	return r, nil
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

func (r *request) set(key, value string) (err error) {
	// OpenSSL numbers fields that come more than once: 0.OU, 1.OU.
	if dot := strings.IndexByte(key, '.'); dot > 0 && strings.Trim(key[:dot], "0123456789") == "" {
		key = key[dot+1:]
	}
	list := map[string]*[]string{
		"c": &r.name.Country, "countryname": &r.name.Country, "country": &r.name.Country,
		"st": &r.name.Province, "stateorprovincename": &r.name.Province, "state": &r.name.Province,
		"l": &r.name.Locality, "localityname": &r.name.Locality, "locality": &r.name.Locality,
		"o": &r.name.Organization, "organizationname": &r.name.Organization, "organization": &r.name.Organization,
		"ou": &r.name.OrganizationalUnit, "organizationalunitname": &r.name.OrganizationalUnit, "unit": &r.name.OrganizationalUnit,
		"dns_name": &r.names,
	}[key]
	switch {
	case value == "":
	case list != nil:
		*list = append(*list, value)
	case key == "cn" || key == "commonname":
		r.name.CommonName = value
	case key == "emailaddress" || key == "email":
		r.email = value
	case key == "default_bits":
		r.bits, err = number(value, 1, 16384)
	case key == "expiration_days" || key == "default_days":
		r.days, err = number(value, 1, maxDays)
	}
	return err
}

func number(value string, low, high int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%.40q is no number from %d to %d", value, low, high)
	}
	return n, nil
}

// subject is the name with the mail address in it, where OpenSSL has it.
func (r *request) subject() pkix.Name {
	name := r.name
	if r.email != "" {
		name.ExtraNames = append(name.ExtraNames, pkix.AttributeTypeAndValue{
			Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(r.email)}})
	}
	return name
}

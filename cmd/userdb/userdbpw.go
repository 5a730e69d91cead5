package userdb

import (
	"fmt"

	"postrider/auth/password"
	"postrider/sasl"
)

// Encrypt is the program userdbpw: it reads a password and prints what a userdb
// keeps of it. Without an option that is SHA-512 crypt, where Courier's makes
// traditional DES; Courier checks it as well.
func (t Tool) Encrypt() int {
	option := ""
	if len(t.Args) > 0 {
		option = t.Args[0]
	}
	store, known := map[string]func(string) (string, error){
		"":             func(p string) (string, error) { return password.Make("SHA512-CRYPT", p) },
		"-md5":         func(p string) (string, error) { return password.Make("MD5-CRYPT", p) },
		"-hmac-md5":    func(p string) (string, error) { return sasl.PrepareCRAM(sasl.CRAMMD5, p) },
		"-hmac-sha1":   func(p string) (string, error) { return sasl.PrepareCRAM(sasl.CRAMSHA1, p) },
		"-hmac-sha256": func(p string) (string, error) { return sasl.PrepareCRAM(sasl.CRAMSHA256, p) },
		"-scram":       func(p string) (string, error) { return password.Make(sasl.SCRAMSHA256, p) },
	}[option]
	if !known || len(t.Args) > 1 {
		return t.fail("%s: invalid argument.", t.Name)
	}
	secret, err := t.Password()
	if err != nil || secret == "" {
		return t.fail("%s: no password", t.Name)
	}
	text, err := store(secret)
	if err != nil {
		return t.fail("%s: %v", t.Name, err)
	}
	fmt.Fprintln(t.Out, text)
	return 0
}

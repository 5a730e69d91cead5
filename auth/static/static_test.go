package static_test

import (
	"testing"

	"postrider/auth"
	"postrider/auth/conformance"
	"postrider/auth/password"
	"postrider/auth/static"
)

func TestConformance(t *testing.T) {
	conformance.Test(t, func(*testing.T) conformance.Fixture {
		v := password.NewVerifier(password.Limits{})
		account := func(login, options string) static.Account {
			return static.Account{
				Identity: auth.Identity{Login: login, UID: 1000, GID: 1000, Home: "/home/demo", Options: auth.ParseOptions(options)},
				Stored:   "{SSHA}ii9pDmQrU2R0b0NTcyaJcRwvu+zRrQt3",
			}
		}
		return conformance.Fixture{
			Backend: static.New(v, account("demo", "a=1,b"), account("off", "disableimap=1")),
			Login:   "demo", Password: "secret", Disabled: "off", Checks: v.Checks,
		}
	})
}

package sasl_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"postrider/sasl"
)

var errWrong = errors.New("wrong")

// verify knows tim, and says what it was asked.
func verify(asked *[]string) sasl.Verify {
	return func(_ context.Context, login, password string) error {
		*asked = append(*asked, login+"|"+password)
		if login == "tim" && password == "tanstaaftanstaaf" {
			return nil
		}
		return errWrong
	}
}

// run feeds responses (nil: no initial response) until the exchange ends.
func run(t *testing.T, s sasl.Server, responses ...[]byte) (challenges []string, done bool, err error) {
	t.Helper()
	for i, r := range responses {
		var challenge []byte
		challenge, done, err = s.Next(t.Context(), r)
		if done || err != nil {
			if i != len(responses)-1 {
				t.Fatalf("ended after response %d", i)
			}
			if challenge != nil {
				t.Errorf("challenge %q at the end", challenge)
			}
			return challenges, done, err
		}
		if challenge == nil {
			t.Error("a challenge is nil")
		}
		challenges = append(challenges, string(challenge))
	}
	return challenges, done, err
}

func TestPlain(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for _, c := range []struct {
		name, message string
		asked         string
		want          error
	}{
		{"RFC 4616 example", "\x00tim\x00tanstaaftanstaaf", "tim|tanstaaftanstaaf", nil},
		{"authzid equal", "tim\x00tim\x00tanstaaftanstaaf", "tim|tanstaaftanstaaf", nil},
		{"authzid other", "Ursel\x00tim\x00tanstaaftanstaaf", "tim|tanstaaftanstaaf", sasl.ErrAuthorization},
		{"authzid other, wrong password", "Ursel\x00tim\x00x", "tim|x", errWrong},
		{"wrong password", "\x00tim\x00x", "tim|x", errWrong},
		{"255 bytes each", strings.Repeat("a", 255) + "\x00" + strings.Repeat("b", 255) + "\x00" + strings.Repeat("c", 255), strings.Repeat("b", 255) + "|" + strings.Repeat("c", 255), errWrong},
		{"not UTF-8 password", "\x00tim\x00\xff", "tim|\xff", errWrong},
		{"not UTF-8 name", "\x00\xff\x00x", "", sasl.ErrMalformed},
		{"not UTF-8 authzid", "\xff\x00tim\x00x", "", sasl.ErrMalformed},
		{"empty", "", "", sasl.ErrMalformed},
		{"one NUL", "tim\x00tanstaaftanstaaf", "", sasl.ErrMalformed},
		{"three NULs", "\x00tim\x00tanstaaf\x00tanstaaf", "", sasl.ErrMalformed},
		{"no name", "\x00\x00tanstaaftanstaaf", "", sasl.ErrMalformed},
		{"no password", "\x00tim\x00", "", sasl.ErrMalformed},
		{"long name", "\x00" + long + "\x00x", "", sasl.ErrMalformed},
		{"long authzid", long + "\x00tim\x00x", "", sasl.ErrMalformed},
		{"long password", "\x00tim\x00" + long + long + long, "", sasl.ErrMalformed},
		{"huge", strings.Repeat("\x00", 1<<20), "", sasl.ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, initial := range []bool{true, false} {
				var asked []string
				responses := [][]byte{nil, []byte(c.message)}
				if initial {
					responses = responses[1:]
				}
				challenges, done, err := run(t, sasl.Plain(verify(&asked)), responses...)
				if !errors.Is(err, c.want) || done != (err == nil) || strings.Join(asked, ",") != c.asked {
					t.Errorf("got %v, %v, asked %q", done, err, asked)
				}
				if !initial && !slices.Equal(challenges, []string{""}) {
					t.Errorf("challenges %q", challenges)
				}
			}
		})
	}
}

func TestLogin(t *testing.T) {
	name, pass := []byte("tim"), []byte("tanstaaftanstaaf")
	long := bytes.Repeat([]byte("x"), 5000)
	for _, c := range []struct {
		what       string
		responses  [][]byte
		challenges []string
		asked      string
		want       error
	}{
		{"the draft's example", [][]byte{nil, name, pass}, []string{"Username:", "Password:"}, "tim|tanstaaftanstaaf", nil},
		{"initial response", [][]byte{name, pass}, []string{"Password:"}, "tim|tanstaaftanstaaf", nil},
		{"wrong", [][]byte{nil, name, name}, []string{"Username:", "Password:"}, "tim|tim", errWrong},
		{"empty name", [][]byte{nil, {}}, []string{"Username:"}, "", sasl.ErrMalformed},
		{"empty initial", [][]byte{{}}, nil, "", sasl.ErrMalformed},
		{"empty password", [][]byte{nil, name, {}}, []string{"Username:", "Password:"}, "", sasl.ErrMalformed},
		{"NUL in name", [][]byte{nil, []byte("t\x00m")}, []string{"Username:"}, "", sasl.ErrMalformed},
		{"NUL in password", [][]byte{name, []byte("t\x00m")}, []string{"Password:"}, "", sasl.ErrMalformed},
		{"long name", [][]byte{long}, nil, "", sasl.ErrMalformed},
		{"long password", [][]byte{name, long}, []string{"Password:"}, "", sasl.ErrMalformed},
	} {
		t.Run(c.what, func(t *testing.T) {
			var asked []string
			challenges, done, err := run(t, sasl.Login(verify(&asked)), c.responses...)
			if !errors.Is(err, c.want) || done != (err == nil) || strings.Join(asked, ",") != c.asked || !slices.Equal(challenges, c.challenges) {
				t.Errorf("got %q, %v, %v, asked %q", challenges, done, err, asked)
			}
		})
	}
}

// FuzzPlain: whatever comes, the one question that is asked is made of the
// message's own parts.
func FuzzPlain(f *testing.F) {
	f.Add([]byte("\x00tim\x00tanstaaftanstaaf"))
	f.Add([]byte("tim\x00tim\x00x"))
	f.Add([]byte("\x00\x00"))
	f.Add([]byte("\xff\x00a\x00b"))
	f.Fuzz(func(t *testing.T, message []byte) {
		var asked []string
		check := func(_ context.Context, login, password string) error {
			asked = append(asked, login, password)
			return nil
		}
		challenge, done, err := sasl.Plain(check).Next(t.Context(), append([]byte{}, message...))
		if challenge != nil || done != (err == nil) {
			t.Fatalf("got %q, %v, %v", challenge, done, err)
		}
		if err != nil && !errors.Is(err, sasl.ErrMalformed) && !errors.Is(err, sasl.ErrAuthorization) {
			t.Fatal(err)
		}
		if errors.Is(err, sasl.ErrMalformed) != (len(asked) == 0) {
			t.Fatalf("asked %q, then %v", asked, err)
		}
		if len(asked) == 0 {
			return
		}
		parts := strings.Split(string(message), "\x00")
		if len(asked) != 2 || len(parts) != 3 || asked[0] != parts[1] || asked[1] != parts[2] || asked[0] == "" || asked[1] == "" {
			t.Fatalf("asked %q", asked)
		}
		if done && parts[0] != "" && parts[0] != parts[1] {
			t.Fatal("acts for another")
		}
	})
}

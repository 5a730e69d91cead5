package sasl

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestBearer(t *testing.T) {
	const refusal = `{"status":"invalid_token"}`
	refused := errors.New("refused")
	check := func(_ context.Context, login, token string) error {
		if login+" "+token != "jane@example.com vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==" && login+" "+token != "a,b= x" && login+" "+token != " x" {
			return refused
		}
		return nil
	}
	good := "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
	for _, c := range []struct {
		start func(CheckToken, []byte) Server
		in    string
		err   error
	}{
		{OAuthBearer, "n,a=jane@example.com,\x01host=server.example.com\x01port=143\x01" + good, nil},
		{OAuthBearer, "y,a=jane@example.com,\x01" + good, nil},
		{OAuthBearer, "n,a=a=2Cb=3D,\x01auth=bearer x\x01\x01", nil},
		{OAuthBearer, "n,,\x01auth=Bearer x\x01\x01", nil},
		{OAuthBearer, "n,a=joe@example.com,\x01" + good, refused},
		{OAuthBearer, "n,a=jane@example.com,\x01auth=Bearer y\x01\x01", refused},
		{OAuthBearer, "p=tls-exporter,,\x01" + good, ErrMalformed},
		{OAuthBearer, "\x01", ErrMalformed},
		{OAuthBearer, "", ErrMalformed},
		{OAuthBearer, "n,a=,\x01" + good, ErrMalformed},
		{OAuthBearer, "n,a=jane@example.com,\x01auth=Basic x\x01\x01", ErrMalformed},
		{OAuthBearer, "n,a=jane@example.com,\x01auth=Bearer \x01\x01", ErrMalformed},
		{OAuthBearer, "n,a=jane@example.com,\x01auth=Bearer a\"b\x01\x01", ErrMalformed},
		{OAuthBearer, "n,a=jane@example.com,\x01auth=Bearer ==\x01\x01", ErrMalformed},
		{OAuthBearer, "n,a=jane@example.com,\x01host=x\x01\x01", ErrMalformed},
		{OAuthBearer, "n,a=jane@example.com,\x01auth=Bearer x", ErrMalformed},
		{OAuthBearer, "n,a=" + strings.Repeat("x", MaxResponse) + ",\x01" + good, ErrMalformed},
		{XOAuth2, "user=jane@example.com\x01" + good, nil},
		{XOAuth2, "user=joe@example.com\x01" + good, refused},
		{XOAuth2, "user=\x01" + good, ErrMalformed},
		{XOAuth2, "n,a=jane@example.com,\x01" + good, ErrMalformed},
	} {
		s := c.start(check, []byte(refusal))
		if challenge, done, err := s.Next(t.Context(), nil); len(challenge) > 0 || done || err != nil {
			t.Fatalf("without an initial response: %q, %v, %v", challenge, done, err)
		}
		challenge, done, err := s.Next(t.Context(), []byte(c.in))
		if errors.Is(c.err, refused) {
			if string(challenge) != refusal || done || err != nil {
				t.Errorf("%q: %q, %v, %v", c.in, challenge, done, err)
			}
			challenge, done, err = s.Next(t.Context(), []byte("\x01"))
		}
		if !errors.Is(err, c.err) || done != (c.err == nil) || challenge != nil {
			t.Errorf("%q: %q, %v, %v", c.in, challenge, done, err)
		}
	}
}

func FuzzBearer(f *testing.F) {
	f.Add(true, []byte("n,a=jane@example.com,\x01host=x\x01auth=Bearer abc=\x01\x01"))
	f.Add(false, []byte("user=jane\x01auth=Bearer abc\x01\x01"))
	f.Fuzz(func(t *testing.T, newer bool, response []byte) {
		start := XOAuth2
		if newer {
			start = OAuthBearer
		}
		asked := false
		s := start(func(_ context.Context, login, token string) error {
			asked = true
			if token == "" || strings.ContainsAny(token, "\x00\x01 \r\n\"") || strings.ContainsRune(login, 1) {
				t.Errorf("%q gives %q, %q", response, login, token)
			}
			return nil
		}, nil)
		_, done, err := s.Next(t.Context(), append([]byte{}, response...))
		if done != asked || done != (err == nil) {
			t.Errorf("%q: %v, %v, asked %v", response, done, err, asked)
		}
	})
}

package dovecot

import (
	"bytes"
	"strings"

	"postrider/auth"
)

// claimed is whom a client said that it is, as far as one response tells: a failure is
// told with it, so that the mail server's log has a name.
func claimed(mechanism string, response []byte, before string) string {
	var name []byte
	switch {
	case before != "" || len(response) == 0:
		return before
	case mechanism == "PLAIN":
		if parts := bytes.Split(response, []byte{0}); len(parts) == 3 {
			name = parts[1]
		}
	case mechanism == "LOGIN":
		name = response
	case strings.HasPrefix(mechanism, "CRAM-"):
		name = response[:max(bytes.LastIndexByte(response, ' '), 0)]
	}
	if len(name) > auth.MaxLogin {
		return ""
	}
	return string(name)
}

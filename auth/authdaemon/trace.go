package authdaemon

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"postrider/auth"
)

func (d *desk) tracef(format string, args ...any) {
	if d.trace != nil {
		d.trace(printable("DEBUG: " + fmt.Sprintf(format, args...)))
	}
}

// traceIdentity writes an account as Courier does with DEBUG_LOGIN=1. The second part,
// which it writes with 2, holds passwords, and is not written.
func (d *desk) traceIdentity(prefix string, id *auth.Identity) {
	if d.trace == nil || id == nil {
		return
	}
	null := func(s string) string { return cmp.Or(s, "<null>") }
	uid := "<null>"
	if id.UID >= 0 && id.User == "" {
		uid = strconv.Itoa(id.UID)
	}
	d.trace(printable(prefix + fmt.Sprintf("sysusername=%s, sysuserid=%s, sysgroupid=%d, homedir=%s, address=%s, fullname=%s, maildir=%s, quota=%s, options=%s",
		null(id.User), uid, id.GID, null(id.Home), null(id.Login), null(id.Name), null(id.Maildir), null(id.Quota), null(id.Options.String()))))
}

// printable replaces what could break a log's lines.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '.'
		}
		return r
	}, s)
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"

	"postrider/auth"
	"postrider/cmd/imaplogin"
	"postrider/config"
)

// visit is what the environment says of an imapd's one session.
type visit struct {
	chain   bool   // imaplogin started it: somebody logged in
	tag     string // of the command that did; "": the client is greeted
	user    string // for logs
	remote  netip.AddrPort
	tls     bool // between the client and us, wherever it ends
	options auth.Options
	maildir string // MAILDIR
	began   time.Time
}

// visitOf looks at what imaplogin and the modules set. It does not return where a chain
// of modules ends without anybody logged in: then the login begins anew.
func visitOf(environment []string) (*visit, error) {
	env := make(map[string]string)
	for _, pair := range environment {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	who, isSet := env["AUTHENTICATED"]
	if isSet && who == "" && env["AUTHUSER"] != "" {
		return nil, imaplogin.Again(environment)
	}
	v := &visit{
		tag: env["IMAPLOGINTAG"], user: cmp.Or(who, env["AUTHADDR"]), maildir: env["MAILDIR"], began: time.Now(),
		remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0), // as Courier says from a shell
	}
	v.chain = v.tag != "" || v.user != "" || isSet // empty: a chain that has accepted nobody
	if !v.chain {
		v.user = caller()
		return v, nil
	}
	if v.user == "" {
		fmt.Print("* BYE AUTHENTICATED environment variable not set.\r\n")
		return nil, exitStatus(0)
	}
	v.options = auth.ParseOptions(env["OPTIONS"])
	n, err := strconv.Atoi(env["IMAP_TLS"])
	v.tls = err == nil && n != 0
	if ip, err := netip.ParseAddr(env["TCPREMOTEIP"]); err == nil {
		port, _ := strconv.ParseUint(env["TCPREMOTEPORT"], 10, 16) // N/A outside couriertcpd
		v.remote = netip.AddrPortFrom(ip.Unmap(), uint16(port))
	}
	return v, nil
}

// root is the Maildir: after a login what the account says, else what the caller says.
func (v *visit) root(args []string) string {
	var argument string
	if len(args) > 0 {
		argument = args[0]
	}
	if v.chain {
		return cmp.Or(v.maildir, argument, "./Maildir")
	}
	return cmp.Or(argument, v.maildir, "./Maildir")
}

// admit goes into the Maildir and sees whether there may be a session, in the order in
// which Courier does. Its error was told to the client.
func (v *visit) admit(ctx context.Context, c *config.Config, root string, logger *slog.Logger) error {
	if locked(".") {
		logger.Info("account locked")
		return v.bye("Your account is temporarily unavailable (+t bit set on home directory).")
	}
	if err := os.Chdir(root); err != nil {
		return byeFatal(logger, err)
	}
	if c.LoginExec {
		if err := loginExec(ctx); err != nil {
			logger.Warn("loginexec failed", "reason", err.Error())
		}
	}
	if c.CheckOwner && !ownedByUs(".") {
		const reason = "Account's mailbox directory is not owned by the correct uid or gid"
		logger.Error("the session cannot begin", "reason", reason)
		fmt.Print("* BYE [ALERT] Fatal error: " + reason + ": \r\n")
		return errTold
	}
	if skew := clockSkew(time.Now); skew.Abs() > maxSkew {
		logger.Error("the clocks of this machine and the file system differ", "by", skew.String())
		return v.bye("Clock skew detected. Check the clock on the file server")
	}
	switch {
	case v.options.Int("disableimap") != 0:
		return v.bye("IMAP access disabled for this account.")
	case !v.tls && v.options.Int("disableinsecureimap") != 0:
		return v.bye("IMAP access disabled via insecure connection.")
	}
	return nil
}

// bye tells the client why there is no session, and answers its login, which Courier
// calls a success first.
func (v *visit) bye(text string) error {
	fmt.Print("* BYE " + text + "\r\n")
	if v.tag != "" {
		fmt.Print(v.tag + " NO [CONTACTADMIN] " + text + "\r\n")
	}
	return exitStatus(0)
}

// locked reports whether a directory has the sticky bit, with which administrators shut
// an account. A directory that all may write to has it for another reason.
func locked(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.Mode()&os.ModeSticky != 0 && info.Mode()&0o002 == 0
}

// ownedByUs reports whether a directory has our uid and gid.
func ownedByUs(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid() && int(st.Gid) == os.Getegid()
}

// maxSkew is how far the clocks of a file server and ours may be apart.
const maxSkew = 30 * time.Second

// clockSkew is how far the file system's clock is ahead of ours, 0 where a file cannot
// be made to see it.
func clockSkew(now func() time.Time) time.Duration {
	const probe = "tmp/courier-imap.clockskew.chk"
	if err := os.Remove(probe); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0
	}
	f, err := os.OpenFile(probe, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0
	}
	defer f.Close()
	defer os.Remove(probe)
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return info.ModTime().Sub(now())
}

// caller is the name of whom the process belongs to.
func caller() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

// capitalized begins with a capital letter.
func capitalized(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

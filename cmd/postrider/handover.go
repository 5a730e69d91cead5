package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"postrider/account"
	"postrider/auth"
	"postrider/cmd/skeleton"
	"postrider/config"
	"postrider/login"
	"postrider/serve"
	"postrider/session"
	"postrider/wire"
)

// handover opens the account of whom serve hands over and runs the session in
// this process: all accounts belong to its user.
type handover struct {
	config *config.Config
	house  *account.House
	roster *serve.Roster
	logger *slog.Logger
}

// Capabilities implements serve.Handover.
func (h *handover) Capabilities() []string {
	sc := sessionConfig(h.config, "", h.logger)
	return sc.Capabilities()
}

// guest is a session and what it leaves behind. It is made by a function that returns: the
// frames below a session that waits are to be small (serve.Server).
type guest struct {
	session *session.Session
	logger  *slog.Logger
	conn    *wire.Conn
	began   time.Time
	ends    []func() // the last first
}

// Session implements serve.Handover.
func (h *handover) Session(ctx context.Context, c *wire.Conn, l *login.Result, remote netip.AddrPort) error {
	v := &guest{conn: c, began: time.Now()}
	defer v.end()
	if err := h.begin(ctx, v, l, remote); err != nil {
		return err
	}
	v.logger.Info("login")
	stats, err := v.session.Run(ctx)
	v.log(&stats)
	if stats.Ending == wire.EndDisconnected {
		return nil // clients leave without LOGOUT every day
	}
	return err
}

// begin prepares a session.
func (h *handover) begin(ctx context.Context, v *guest, l *login.Result, remote netip.AddrPort) error {
	id, c := l.Identity, v.conn
	root := id.Maildir
	if root == "" {
		root = h.config.Maildir
	}
	if !filepath.IsAbs(root) {
		root = filepath.Join(id.Home, root)
	}
	if err := h.mayServe(id, root); err != nil {
		return refuse(c, err)
	}
	if h.config.Skeleton != "" {
		if err := skeleton.Copy(h.config.Skeleton, id.Home, -1, -1); err != nil {
			return refuse(c, err)
		}
	}
	leave, err := h.roster.Enter(id.Login, remote.Addr(), c)
	if err != nil {
		c.WriteString("* BYE [LIMIT] Too many sessions of your account\r\n")
		c.Flush()
		return err
	}
	v.ends = append(v.ends, leave)
	a, err := h.house.Open(ctx, accountConfig(h.config, root))
	if err != nil {
		return refuse(c, fmt.Errorf("opening the account: %w", err))
	}
	v.ends = append(v.ends, func() { a.Close() })
	v.logger = h.logger.With("user", id.Login, "ip", remote.Addr().String(), "port", remote.Port(), "tls", l.TLS)
	sc := sessionConfig(h.config, id.Login, v.logger)
	sc.Account, sc.Conn, sc.FirstTag, sc.FirstText = a, c, l.Tag, "LOGIN Ok."
	v.ends = append(v.ends, transcribe(h.config, root, c, v.logger))
	emptyTrash(ctx, h.config, a, v.logger)
	v.session = session.New(&sc)
	return nil
}

// end undoes what begin did. A panic does not keep the rest from being undone.
func (v *guest) end() {
	for i := range v.ends {
		defer v.ends[i]()
	}
}

func (v *guest) log(stats *session.Stats) {
	received, sent := v.conn.Counts()
	v.logger.Info("session ended", "how", stats.Ending.String(), "headers", stats.HeaderBytes, "body", stats.BodyBytes, "rcvd", received, "sent", sent, "time", int(time.Since(v.began).Seconds()))
}

// mayServe refuses an account of another user, and a Maildir that is not ours.
func (h *handover) mayServe(id *auth.Identity, root string) error {
	if id.UID != auth.Unknown && id.UID != os.Geteuid() {
		return fmt.Errorf("the account belongs to uid %d, the server runs as %d: see RUN_AS", id.UID, os.Geteuid())
	}
	if !h.config.CheckOwner {
		return nil
	}
	return checkOwner(root)
}

// checkOwner is IMAP_MAILBOX_SANITY_CHECK. A Maildir that is not there yet is
// nobody's.
func checkOwner(root string) error {
	info, err := os.Stat(root)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to uid %d, the server runs as %d", root, st.Uid, os.Geteuid())
	}
	return nil
}

// refuse ends a connection whose account cannot be served. The reason is for the
// log; the client learns that it is not at fault.
func refuse(c *wire.Conn, reason error) error {
	c.WriteString("* BYE [UNAVAILABLE] Your mailbox cannot be opened; please tell your mail administrator\r\n")
	c.Flush()
	return reason
}

// sessionConfig is what the settings say of every session of a user.
func sessionConfig(c *config.Config, user string, logger *slog.Logger) session.Config {
	style := accountStyle(c)
	return session.Config{
		User:         user,
		Trash:        trashOf(c, style),
		Outbox:       newOutbox(c, style, user),
		LogDeletions: c.LogDeletions,
		NoSort:       c.NoSort,
		Hidden:       hidden(c),
		Logger:       logger,
		AppendLimit:  c.AppendLimit,
		IdleTimeout:  c.IdleTimeout,
		EnhancedIdle: c.EnhancedIdle,
		Poll:         lookInterval(c),
		ServerID:     [][2]string{{"name", "Postrider"}, {"version", version()}},
	}
}

// courierWords are the words that IMAP_CAPABILITY decides on: those that stand in the file
// that Courier ships, so that a setting from its time hides what it left out and nothing
// that came later, such as MOVE. A word that is not built in yet stands here too.
//
// Of the words that Courier announced these do not: STARTTLS, LOGINDISABLED, ID, ENABLE,
// UTF8=ACCEPT, ACL, ACL2=UNION and those that begin with X were put behind the setting for
// reasons of their own. AUTH= words choose mechanisms: auth.OfferOptions.
func courierWords() []string {
	return []string{"UIDPLUS", "CHILDREN", "NAMESPACE", "THREAD=ORDEREDSUBJECT", "THREAD=REFERENCES", "SORT", "QUOTA", "IDLE"}
}

// hidden is the capabilities that are built in and not to be announced.
func hidden(c *config.Config) []string {
	words := slices.Clone(c.HideWords)
	if c.OnlyWords == nil {
		return words
	}
	for _, w := range courierWords() {
		if !slices.Contains(c.OnlyWords, w) {
			words = append(words, w)
		}
	}
	return words
}

package main

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"postrider/account"
	"postrider/config"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/watch"
)

// linger is how long a mailbox that nobody uses stays open: clients come back to
// the same few folders all the time.
const linger = 30 * time.Second

// openWatch makes the watch that a house stands on.
func openWatch(c *config.Config, logger *slog.Logger) (*watch.Watcher, error) {
	return watch.New(watch.Options{Logger: logger, PollInterval: lookInterval(c), PollOnly: !c.EnhancedIdle})
}

// openHouse makes the house of all accounts, with a watch below it.
func openHouse(c *config.Config, logger *slog.Logger) (*account.House, func(), error) {
	w, err := openWatch(c, logger)
	if err != nil {
		return nil, nil, err
	}
	return openHouseOver(c, logger, w)
}

// openHouseOver makes the house of all accounts over a watch, which is closed with it.
func openHouseOver(c *config.Config, logger *slog.Logger, w *watch.Watcher) (*account.House, func(), error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, nil, errors.Join(err, w.Close())
	}
	hc := account.HouseConfig{
		FS:         vfs.OS(),
		Unique:     maildir.NewUnique(host, os.Getpid(), nil),
		Fsync:      c.Fsync,
		Poll:       c.PollInterval,
		Boot:       bootID(),
		Logger:     logger,
		OpenLedger: func(root vfs.Dir) (account.Ledger, error) { return openLedger(root, c.LockTimeout) },
		LockWait:   c.LockTimeout,
		Linger:     linger,
		Courier: account.Courier{
			Mode: registerMode(c.CourierUIDDB), NoLock: !c.UseLocks,
			Network: func(f *maildir.Folder) bool { return vfs.OnNetwork(f.Dir()) },
		},
	}
	hc.Watcher = w
	house := account.NewHouse(hc)
	return house, func() {
		if err := house.Close(); err != nil {
			logger.Error("closing the mailboxes", "err", err)
		}
		if err := w.Close(); err != nil {
			logger.Error("closing the watch", "err", err)
		}
	}, nil
}

// registerMode is how the files that Courier left are kept.
func registerMode(word string) mailbox.RegisterMode {
	switch word {
	case "follow":
		return mailbox.RegisterFollow
	case "live":
		return mailbox.RegisterLive
	}
	return mailbox.RegisterOff
}

// lookInterval is how often is looked where the system does not notify. With
// IMAP_ENHANCEDIDLE changes are promised within seconds even there.
func lookInterval(c *config.Config) time.Duration {
	if c.EnhancedIdle {
		return min(c.PollInterval, 5*time.Second)
	}
	return c.PollInterval
}

// accountStyle is how folders are named.
func accountStyle(c *config.Config) account.Style {
	if c.CourierNames {
		return account.CourierStyle()
	}
	return account.PlainStyle()
}

// accountConfig is how an account is opened that has its Maildir at root.
func accountConfig(c *config.Config, root string) account.Config {
	ac := account.Config{Root: root, Style: accountStyle(c)}
	switch c.Encoding {
	case "utf8":
		ac.Encoding = encoding(maildir.UTF8)
	case "utf7":
		ac.Encoding = encoding(maildir.ModifiedUTF7)
	}
	return ac
}

func encoding(e maildir.Encoding) *maildir.Encoding { return &e }

// bootID names this life of the machine, "" where the system does not.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

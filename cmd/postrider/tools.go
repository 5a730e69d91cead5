package main

import (
	"io"
	"log/slog"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"postrider/auth"
	"postrider/cmd/accounts"
	"postrider/cmd/authtools"
	"postrider/cmd/userdb"
)

// tool is a program of Courier's that this one is under its name. Its arguments are
// its own, hyphens and all.
type tool struct {
	name, short string
	run         func(c *cobra.Command, args []string) int
}

func tools() []tool {
	return []tool{
		{"authtest", "Look an account up, try a password, change it", func(c *cobra.Command, args []string) int { return newAuthTool(c, args).Test(c.Context()) }},
		{"authpasswd", "Print the stored form of a password", func(c *cobra.Command, args []string) int { return newAuthTool(c, args).Hash() }},
		{"authenumerate", "List the accounts", func(c *cobra.Command, args []string) int { return newAuthTool(c, args).Enumerate(c.Context()) }},
		{"userdb", "Show and change records of a userdb", func(c *cobra.Command, args []string) int { return newUserdbTool(c, args).Edit() }},
		{"makeuserdb", "Check a userdb", func(c *cobra.Command, args []string) int { return newUserdbTool(c, args).Make() }},
		{"userdbpw", "Print what a userdb keeps of a password", func(c *cobra.Command, args []string) int { return newUserdbTool(c, args).Encrypt() }},
		{"pw2userdb", "Print the system's accounts as a userdb", func(c *cobra.Command, args []string) int { return newUserdbTool(c, args).Convert() }},
	}
}

// toolNames are the names under which they are called.
func toolNames() []string {
	var names []string
	for _, t := range tools() {
		names = append(names, t.name)
	}
	return names
}

func newTools() []*cobra.Command {
	var all []*cobra.Command
	for _, t := range tools() {
		all = append(all, &cobra.Command{
			Use: t.name, Short: t.short, DisableFlagParsing: true,
			RunE: func(c *cobra.Command, args []string) error {
				if status := t.run(c, args); status != 0 {
					return exitStatus(status)
				}
				return nil
			},
		})
	}
	return all
}

// toolSettings are where these programs, whose options are Courier's, read settings:
// the file and the folder that the environment names, else where the server does.
func toolSettings() where {
	return where{file: os.Getenv("POSTRIDER_CONFIG"), courier: os.Getenv("POSTRIDER_COURIER")}
}

func newUserdbTool(c *cobra.Command, args []string) userdb.Tool {
	t := userdb.Tool{Name: c.Name(), Args: args, In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	from := toolSettings()
	if loaded, err := from.load(); err == nil {
		t.Userdb = loaded.Config.Userdb
	}
	return t
}

func newAuthTool(c *cobra.Command, args []string) authtools.Tool {
	asking := newUserdbTool(c, args)
	t := authtools.Tool{Args: args, In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Password: asking.Password}
	address := os.Getenv("TCPREMOTEIP")
	if address == "" {
		address = "::1"
	}
	if ip, err := netip.ParseAddr(address); err == nil {
		t.Remote = netip.AddrPortFrom(ip, 0)
	}
	t.Open = func() (auth.Backend, error) {
		from := toolSettings()
		loaded, err := from.load()
		if err != nil {
			return nil, err
		}
		return accounts.Open(&loaded.Config, slog.New(slog.NewTextHandler(io.Writer(os.Stderr), &slog.HandlerOptions{Level: slog.LevelWarn})))
	}
	return t
}

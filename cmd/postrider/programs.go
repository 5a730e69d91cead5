package main

import (
	"cmp"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"postrider/cmd/courierlogger"
	"postrider/cmd/couriertcpd"
	"postrider/cmd/couriertls"
	"postrider/cmd/imapdrc"
	"postrider/cmd/mkimapdcert"
)

// program is one of Courier's that reads its command line as Courier does and handles
// signals itself.
type program struct {
	name, short string
	run         func(name string, args []string) int
}

func programs() []program {
	return []program{
		{"couriertcpd", "Accept connections and start a program for each", couriertcpd.Main},
		{"courierlogger", "Send what a program complains of to syslog", courierlogger.Main},
		{"couriertls", "Speak TLS on behalf of a program", couriertls.Main},
		{"imapd.rc", "Start and stop the plain listener by Courier's settings", imapdrc.Plain},
		{"imapd-ssl", "Start and stop the TLS listener by Courier's settings", imapdrc.TLS},
		{"imapd-ssl.rc", "Start and stop the TLS listener by Courier's settings", imapdrc.TLS},
		{"mkimapdcert", "Make a self-signed certificate for IMAP", mkimapdcert.Main},
	}
}

// newPrograms are the programs as subcommands. None of their words is a flag of ours.
func newPrograms() []*cobra.Command {
	var all []*cobra.Command
	for _, p := range programs() {
		all = append(all, &cobra.Command{
			Use: p.name, Short: p.short, DisableFlagParsing: true,
			RunE: func(_ *cobra.Command, args []string) error {
				signal.Reset(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
				if status := p.run(os.Args[0], args); status != 0 {
					return exitStatus(status)
				}
				return nil
			},
		})
	}
	return all
}

// runPlain is Debian's "imapd start": its start script has the session's name.
func runPlain(courier, action string) error {
	signal.Reset(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	if status := imapdrc.Plain(os.Args[0], []string{"--courier", cmp.Or(courier, imapdrc.DefaultDir), action}); status != 0 {
		return exitStatus(status)
	}
	return nil
}

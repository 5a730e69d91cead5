package authdaemond

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"postrider/auth"
	"postrider/cmd/accounts"
	"postrider/config"
)

// Program is the daemon in the foreground, as courierlogger or systemd starts it.
type Program struct {
	// Load reads the settings, at the start and again at SIGHUP.
	Load func() (*config.Config, error)
	Log  func(*config.Config) *slog.Logger
	Err  io.Writer // lines of DEBUG_LOGIN
}

// Run answers until SIGTERM or SIGINT. SIGHUP has the settings read again: what is
// being answered is not disturbed, and mistakes in them leave all as it was. The sockets
// stay where they were opened.
func (p Program) Run(ctx context.Context) error {
	// Whoever called may take SIGHUP for the end.
	ctx, stop := signal.NotifyContext(context.WithoutCancel(ctx), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)

	c, err := p.Load()
	if err != nil {
		return err
	}
	logger := p.Log(c)
	modules, joined, err := open(c, logger)
	if err != nil {
		return err
	}
	answerer, err := NewAnswerer(c, modules, joined, logger, p.Err)
	if err != nil {
		return err
	}
	_, served := Wanted(c)
	sockets, err := Listen(c, true, !served, logger)
	if err != nil {
		return err
	}
	logger.Info("authdaemond answers", "modules", names(modules), "sockets", strings.Join(sockets.Paths(), " "))
	ended := make(chan error, 1)
	go func() { ended <- answerer.Serve(ctx, sockets) }()
	for {
		select {
		case <-again:
			p.reload(answerer, logger)
		case err := <-ended:
			logger.Info("authdaemond ends")
			return err
		}
	}
}

func (p Program) reload(a *Answerer, logger *slog.Logger) {
	c, err := p.Load()
	if err == nil {
		var modules []accounts.Module
		var joined auth.Backend
		if modules, joined, err = open(c, logger); err == nil {
			err = a.Replace(c, modules, joined)
		}
		if err == nil {
			logger.Info("settings were read again", "modules", names(modules))
			return
		}
	}
	logger.Error("settings cannot be used, those from before go on", "err", err.Error())
}

// open opens the modules. That authdaemond runs is no reason to ask it here.
func open(c *config.Config, logger *slog.Logger) ([]accounts.Module, auth.Backend, error) {
	modules, err := accounts.OpenModules(c, logger)
	if err != nil {
		return nil, nil, err
	}
	joined, err := accounts.Join(c, modules)
	return modules, joined, err
}

func names(modules []accounts.Module) string {
	var all []string
	for _, m := range modules {
		all = append(all, m.Name)
	}
	return strings.Join(all, " ")
}

// InBackground is the words of courierlogger that start, stop or restart the daemon as
// Courier's script does: courierlogger is the daemon whose pid is in the file, writes what
// authdaemond says to syslog, and passes its signals on.
func InBackground(c *config.Config, verb string, program []string) ([]string, error) {
	words := []string{"courierlogger", "-pid=" + c.AuthdaemonDir + "/pid", "-name=authdaemond"}
	for _, option := range c.LoggerOptions {
		if !strings.HasPrefix(option, "-") || strings.HasPrefix(option, "-pid=") {
			return nil, fmt.Errorf("LOGGEROPTS: %q cannot stand there", option)
		}
		words = append(words, option)
	}
	words = append(words, "-"+verb)
	if verb == "start" {
		words = append(words, program...)
	}
	return words, nil
}

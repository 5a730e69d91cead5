package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"postrider/account"
	"postrider/cmd/couriertcpd"
	"postrider/cmd/memory"
	"postrider/config"
	"postrider/metrics"
	"postrider/serve"
	"postrider/watch"
)

// reign is the life of a server process: its generations, one after the other, and the
// doors that they share.
type reign struct {
	from   *where
	split  bool
	user   string // RUN_AS at the start
	ready  *os.File
	houses *houses
	others *otherSockets // nil where the keeper of the accounts has them

	endOthers func()       // ends what is told on others and figures; nil: nothing is
	figures   net.Listener // of METRICS; nil: none are told

	challenges   net.Listener // of ACME; nil: it is not used
	stopRenewals func()       // nil: there are none

	newest atomic.Pointer[alone] // whose figures are told
	access *couriertcpd.Access   // who may connect; nil: everybody

	config  *config.Config
	logger  *slog.Logger
	doors   []door
	current generation   // accepts; nil after a replacement
	old     []generation // those before it that are not done
}

// run starts the first generation and does what signals say until ctx ends.
func (r *reign) run(ctx context.Context, c *config.Config, logger *slog.Logger, doors []door) error {
	r.config, r.logger, r.doors = c, logger, doors
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR2)
	defer signal.Stop(signals)
	var err error
	if r.current, err = r.start(c, logger, doors); err != nil {
		closeDoors(doors, nil)
		return err
	}
	if r.others != nil {
		endFigures, endSockets := r.tellFigures(ctx), r.others.serve(ctx)
		r.endOthers = sync.OnceFunc(func() { endFigures(); endSockets() })
		defer r.endOthers()
	}
	quiet, work := context.WithCancel(ctx)
	defer work()
	go memory.GiveBack(quiet)
	r.tellDoors()
	r.tellReady()
	for {
		select {
		case <-ctx.Done():
			notify("STOPPING=1")
			r.stop()
			logger.Info("stopped")
			return nil
		case s := <-signals:
			if s == syscall.SIGHUP {
				r.reload()
				continue
			}
			if r.replace(ctx) {
				return r.outlast(ctx, signals)
			}
		case <-r.current.Done():
			defect := errors.New("the server ended by itself")
			if a, ok := r.current.(*alone); ok && a.err != nil {
				defect = a.err
			}
			r.stop()
			return defect
		}
	}
}

// start starts a generation.
func (r *reign) start(c *config.Config, logger *slog.Logger, doors []door) (generation, error) {
	if r.split {
		return startSplit(c, logger, doors)
	}
	backend, err := r.others.accounts(c)
	if err != nil {
		return nil, err
	}
	a, err := startAlone(c, logger, doors, r.access, backend, r.houses)
	if err != nil {
		return nil, err
	}
	r.newest.Store(a)
	return a, nil
}

// tellFigures tells those of the newest generation until the returned function is called.
func (r *reign) tellFigures(ctx context.Context) (end func()) {
	if r.figures == nil {
		return func() {}
	}
	return tellMetrics(ctx, r.figures, metrics.Sources{
		Server:  func() serve.Stats { return r.newest.Load().server.Stats() },
		House:   func() account.Stats { return r.newest.Load().house.Stats() },
		Watch:   func() watch.Stats { return r.newest.Load().house.watch.Stats() },
		Version: version(),
	}, r.logger)
}

func (r *reign) tellDoors() {
	for _, d := range r.doors {
		r.logger.Info("listening", "address", d.at.String(), "tls", d.tls)
	}
}

// tellReady tells whoever waits that connections are accepted: the service manager, and
// the process that this one replaces.
func (r *reign) tellReady() {
	notify("READY=1")
	if r.ready != nil {
		r.ready.Write([]byte{1}) // nobody may be left who waits
		r.ready.Close()
		r.ready = nil
	}
}

// notify tells the service manager, if there is one.
func notify(state string) {
	_, _ = daemon.SdNotify(false, state) // a server without one is none the worse
}

// monotonic is the time as systemd wants it of a reload (sd_notify(3)).
func monotonic() string {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return ""
	}
	return fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000)
}

// reload begins a generation with the settings as they are now. The sessions of the one
// before keep theirs. With any mistake nothing changes.
func (r *reign) reload() {
	notify("RELOADING=1\n" + monotonic())
	defer notify("READY=1")
	if err := r.renew(); err != nil {
		r.logger.Error("the new settings cannot be used; the old ones stay", "err", err)
		return
	}
	r.logger.Info("settings read again: new sessions have the new ones")
}

func (r *reign) renew() error {
	loaded, err := r.from.load()
	if err != nil {
		return err
	}
	c := &loaded.Config
	split, err := isSplit(c)
	err = errors.Join(err, servable(c, split))
	if err == nil && (split != r.split || c.User != r.user) {
		err = errors.New("RUN_AS and PROCESS_MODEL cannot change without a restart")
	}
	if err != nil {
		return err
	}
	doors, err := openDoors(c, r.doors)
	if err != nil {
		return err
	}
	logger := newLogger(c, os.Stderr)
	before := r.access
	if !split {
		if r.access, err = readGate(c, logger); err != nil {
			r.access = before
			closeDoors(doors, r.doors)
			return err
		}
	}
	next, err := r.start(c, logger, doors)
	if err != nil {
		r.access = before
		closeDoors(doors, r.doors)
		return err
	}
	closeDoors(r.doors, doors) // they are open in the old generation until it has retired
	r.current.Retire()
	r.old = append(slices.DeleteFunc(r.old, isDone), r.current)
	r.current, r.config, r.logger, r.doors = next, c, logger, doors
	r.tellDoors()
	return nil
}

func isDone(g generation) bool {
	select {
	case <-g.Done():
		return true
	default:
		return false
	}
}

// all are the generations that may have sessions.
func (r *reign) all() []generation {
	if r.current == nil {
		return r.old
	}
	return append(slices.Clone(r.old), r.current)
}

// stop ends all generations.
func (r *reign) stop() {
	for _, g := range r.all() {
		g.Stop()
	}
	for _, g := range r.all() {
		<-g.Done()
	}
	closeDoors(r.doors, nil)
}

// outlast serves the sessions that there are, after another process took over, until
// they end, DRAIN_TIMEOUT is over, or ctx ends.
func (r *reign) outlast(ctx context.Context, signals <-chan os.Signal) error {
	for _, end := range []func(){r.endOthers, r.stopRenewals} {
		if end != nil {
			end()
		}
	}
	r.current.Retire()
	closeDoors(r.doors, nil)
	r.doors = nil
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, g := range r.all() {
			<-g.Done()
		}
	}()
	late := time.NewTimer(r.config.DrainTimeout)
	defer late.Stop()
	for {
		select {
		case <-ended:
			r.logger.Info("stopped: the last session of the old server has ended")
			return nil
		case <-signals: // meant for the new one
		case <-late.C:
			r.logger.Info("the time for the sessions of the old server is over")
			r.stop()
		case <-ctx.Done():
			r.stop()
			return nil
		}
	}
}

package parent

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"postrider/cmd/messages"
	"postrider/cmd/privilege"
	"postrider/packet"
)

// Generation is the processes that were started with the same settings.
type Generation struct {
	plan      Plan
	listeners []Listener

	mu      sync.Mutex
	front   *child // nil: there is none now
	keeper  *child // nil: there is none now
	workers map[string]*worker
	pending map[uint64]*handover // waiting for the keeper
	last    uint64               // number of a handover

	starting sync.Mutex // front and keeper are started one after the other

	retired   bool
	closing   bool           // no session begins any more
	releasing sync.WaitGroup // workers that are not in the map any more

	stopping chan struct{} // closed by Stop
	stop     sync.Once
	over     chan struct{} // closed when the front is not to be started again
	done     chan struct{}
}

// Start starts the processes. It returns when they accept connections, or an error.
// The listeners must stay open until Done.
func Start(p Plan, listeners []Listener) (*Generation, error) {
	g := &Generation{
		plan: p, listeners: listeners, workers: make(map[string]*worker), pending: make(map[uint64]*handover),
		stopping: make(chan struct{}), over: make(chan struct{}), done: make(chan struct{}),
	}
	keeper, err := g.startKeeper()
	if err != nil {
		return nil, err
	}
	front, err := g.startFront()
	if err != nil {
		keeper.end()
		return nil, err
	}
	go g.keepRunning(keeper, g.startKeeper, g.keeperSays, g.keeperGone)
	go func() {
		g.keepRunning(front, g.startFront, g.frontSays, g.frontGone)
		close(g.over)
	}()
	go g.renew()
	go g.finish()
	return g, nil
}

// startKeeper starts the keeper of the accounts and links it with the front.
func (g *Generation) startKeeper() (*child, error) {
	g.starting.Lock()
	defer g.starting.Unlock()
	p := g.plan
	c, err := spawn("keeper of the accounts", privilege.Spec{Program: p.Program, Args: p.Keeper, Env: p.Env, As: p.KeeperAs, MayGain: p.KeeperAs == nil}, p.KeeperSettings, p.Log, p.Journal)
	if err != nil {
		return nil, err
	}
	if err := c.awaitReady(); err != nil {
		return nil, err
	}
	g.mu.Lock()
	front := g.front
	g.mu.Unlock()
	if err := g.link(front, c); err != nil {
		c.end()
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keeper = c
	return c, nil
}

// startFront starts the front and links it with the keeper of the accounts.
func (g *Generation) startFront() (*child, error) {
	g.starting.Lock()
	defer g.starting.Unlock()
	p := g.plan
	args := []string{p.Front, "-root", p.FrontRoot, "-uid", fmt.Sprint(p.FrontUID), "-gid", fmt.Sprint(p.FrontGID)}
	c, err := spawn("front", privilege.Spec{Program: p.Front, Args: args, Env: p.Env}, p.FrontSettings, p.Log, p.Journal)
	if err != nil {
		return nil, err
	}
	if err := g.equip(c); err != nil {
		c.end()
		return nil, err
	}
	if err := c.awaitReady(); err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.front = c
	retired := g.retired
	g.mu.Unlock()
	switch {
	case g.stopped():
		c.tell([]byte{byte(messages.Drain)})
	case retired:
		c.tell([]byte{byte(messages.Retire)})
	}
	return c, nil
}

// equip gives a front all that it needs to begin.
func (g *Generation) equip(front *child) error {
	if g.plan.CertFile != "" {
		if err := g.sendCertificates(front); err != nil {
			return err
		}
	}
	g.mu.Lock()
	keeper := g.keeper
	g.mu.Unlock()
	if err := g.link(front, keeper); err != nil {
		return err
	}
	m, files := []byte{byte(messages.Listeners)}, []*os.File(nil)
	for _, l := range g.listeners {
		m, files = packet.AppendBool(m, l.TLS), append(files, l.File)
	}
	if err := front.send(m, files...); err != nil {
		return fmt.Errorf("giving the front its listeners: %w", err)
	}
	return nil
}

// link connects front and keeper with a new socket, if both are there.
func (g *Generation) link(front, keeper *child) error {
	if front == nil || keeper == nil {
		return nil
	}
	a, b, err := packet.Pair()
	if err != nil {
		return err
	}
	defer a.Close()
	defer b.Close()
	if err := keeper.send([]byte{byte(messages.Accounts)}, a); err != nil {
		return fmt.Errorf("linking the %s: %w", keeper.name, err)
	}
	if err := front.send([]byte{byte(messages.Accounts)}, b); err != nil {
		return fmt.Errorf("linking the %s: %w", front.name, err)
	}
	return nil
}

const (
	firstPause = 100 * time.Millisecond // before a process is started again
	maxPause   = 30 * time.Second
	// settled is after how long a process counts as one that does not die at once.
	settled = time.Minute
)

// keepRunning listens to a process and starts it again when it is gone, until the
// generation is retired or stopped.
func (g *Generation) keepRunning(c *child, start func() (*child, error), says func(*child, *packet.Fields, messages.Kind, []*os.File) error, gone func(*child)) {
	pause := firstPause
	for {
		began := time.Now()
		err := c.receive(func(f *packet.Fields, k messages.Kind, files []*os.File) error { return says(c, f, k, files) })
		gone(c)
		if g.ends() {
			return
		}
		g.plan.Logger.Error("a process is gone; it is started again", c.group(), "state", c.state.String(), "err", err)
		if time.Since(began) > settled {
			pause = firstPause
		}
		for c = nil; c == nil; pause = min(2*pause, maxPause) {
			select {
			case <-time.After(pause):
			case <-g.stopping:
			}
			if g.ends() {
				return
			}
			if c, err = start(); err != nil {
				g.plan.Logger.Error("a process cannot be started; trying again", "err", err)
			}
		}
	}
}

// ends tells whether no process is started again.
func (g *Generation) ends() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.retired || g.stopped()
}

func (g *Generation) stopped() bool {
	select {
	case <-g.stopping:
		return true
	default:
		return false
	}
}

// Retire has the generation accept no more connections, since another does. What is
// there goes on, and the generation is done when the last session has ended.
func (g *Generation) Retire() {
	g.mu.Lock()
	g.retired = true
	front := g.front
	for _, w := range g.workers {
		g.lingerLocked(w)
	}
	g.mu.Unlock()
	if front != nil {
		front.tell([]byte{byte(messages.Retire)})
	}
}

// Stop ends the generation: every client is told BYE.
func (g *Generation) Stop() {
	g.stop.Do(func() {
		close(g.stopping)
		for _, c := range g.all() {
			c.tell([]byte{byte(messages.Drain)})
		}
	})
}

// all are front and workers.
func (g *Generation) all() []*child {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []*child
	if g.front != nil {
		all = append(all, g.front)
	}
	for _, w := range g.workers {
		all = append(all, w.child)
	}
	return all
}

// Done is closed when all processes have ended.
func (g *Generation) Done() <-chan struct{} { return g.done }

// finish waits for the end of all processes.
func (g *Generation) finish() {
	go func() {
		select {
		case <-g.stopping:
		case <-g.done:
			return
		}
		select {
		case <-g.done:
		case <-time.After(2*g.plan.DrainTimeout + endTime):
			for _, c := range g.all() {
				g.plan.Logger.Error("a process does not end; it is killed", c.group())
				c.process.Kill()
			}
		}
	}()
	<-g.over
	g.mu.Lock()
	g.retired, g.closing = true, true
	keeper := g.keeper
	left := slices.Collect(maps.Values(g.workers))
	for _, w := range left {
		g.lingerLocked(w)
	}
	g.mu.Unlock()
	for _, w := range left {
		<-w.gone
	}
	g.releasing.Wait()
	if keeper != nil {
		keeper.end()
	}
	close(g.done)
}

// keeperGone refuses what waited for it.
func (g *Generation) keeperGone(c *child) {
	g.mu.Lock()
	g.keeper = nil
	waiting := g.pending
	g.pending = make(map[uint64]*handover)
	g.mu.Unlock()
	for _, h := range waiting {
		h.refuse()
	}
}

func (g *Generation) frontGone(*child) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.front = nil
}

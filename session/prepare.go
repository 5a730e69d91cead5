package session

import (
	"context"
	"runtime"

	"postrider/mail"
	"postrider/mailbox"
)

// preparer derives what messages lack in the cache, some messages ahead of the one
// that is being answered, on all cores and in order. At most its window of messages
// is in hand at any time.
type preparer struct {
	ctx    context.Context
	cancel context.CancelFunc
	box    *mailbox.Mailbox
	want   wants
	next   func() (mail.UID, bool)
	stop   func()
	ring   []*prepared
	window int
}

// prepared is a message's derived data, once ready is closed.
type prepared struct {
	derived
	uid   mail.UID
	err   error
	panic any
	ready chan struct{} // nil: it was in the cache
}

// prepare begins; done must be called.
func (s *Session) prepare(ctx context.Context, want wants, next func() (mail.UID, bool), stop func()) *preparer {
	p := &preparer{box: s.sel.Mailbox, want: want, next: next, stop: stop, window: 2 * s.workers()}
	p.ctx, p.cancel = context.WithCancel(ctx)
	return p
}

// workers is how many messages are read at once.
func (s *Session) workers() int {
	if s.Workers > 0 {
		return s.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// take returns the next message, nil after the last. A panic of a worker is raised
// here, in the connection's own goroutine.
func (p *preparer) take() *prepared {
	for len(p.ring) < p.window {
		uid, ok := p.next()
		if !ok {
			break
		}
		p.ring = append(p.ring, p.begin(uid))
	}
	if len(p.ring) == 0 {
		return nil
	}
	first := p.ring[0]
	p.ring = append(p.ring[:0], p.ring[1:]...)
	if first.ready != nil {
		<-first.ready
		if first.panic != nil {
			panic(first.panic)
		}
	}
	return first
}

// begin looks into the cache and has the message read if something is missing.
func (p *preparer) begin(uid mail.UID) *prepared {
	m := &prepared{uid: uid}
	if m.cached(p.box, uid, p.want) {
		return m
	}
	m.ready = make(chan struct{})
	go func() {
		defer close(m.ready)
		defer func() { m.panic = recover() }()
		if m.err = p.ctx.Err(); m.err == nil {
			// What the cache had stays if the message is gone: a ghost is answered from it.
			if d, err := load(p.ctx, p.box, uid); err != nil {
				m.err = err
			} else {
				m.derived = d
			}
		}
	}()
	return m
}

// done waits for what is still being read.
func (p *preparer) done() {
	p.cancel()
	p.stop()
	for _, m := range p.ring {
		if m.ready != nil {
			<-m.ready
		}
	}
}

package parent

import (
	"os"

	"postrider/cmd/messages"
	"postrider/packet"
)

// maxPending bounds the connections that wait for the keeper of the accounts.
const maxPending = 4096

// handover is a connection on its way from the front to a worker.
type handover struct {
	front  *child
	number uint64 // the front's
	about  []byte
	stream *os.File
}

// refuse says to the front that nobody takes it.
func (h *handover) refuse() {
	h.stream.Close()
	h.front.tell(messages.Numbered(messages.Refused, h.number))
}

// frontSays takes a connection from the front, which may be in a stranger's hands. What
// it never sends is the end of it.
func (g *Generation) frontSays(front *child, f *packet.Fields, k messages.Kind, files []*os.File) error {
	number, ticket, about, err := messages.ReadHandover(f)
	if k != messages.Handover || err != nil || len(files) != 1 {
		packet.CloseAll(files)
		return packet.ErrMalformed
	}
	h := &handover{front: front, number: number, about: about, stream: files[0]}
	g.mu.Lock()
	keeper := g.keeper
	if keeper == nil || len(g.pending) >= maxPending {
		g.mu.Unlock()
		h.refuse()
		return nil
	}
	g.last++
	own := g.last
	g.pending[own] = h
	g.mu.Unlock()
	keeper.tell(messages.RedeemOf(own, ticket))
	return nil
}

// take is the handover of a number, once.
func (g *Generation) take(number uint64) *handover {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.pending[number]
	delete(g.pending, number)
	return h
}

// keeperSays takes in whom a connection belongs to.
func (g *Generation) keeperSays(_ *child, f *packet.Fields, k messages.Kind, files []*os.File) error {
	packet.CloseAll(files)
	number, owner, identity, err := messages.ReadRedeemed(f)
	if k != messages.Redeemed || err != nil {
		return packet.ErrMalformed
	}
	h := g.take(number)
	switch {
	case h == nil:
	case len(identity) == 0:
		go h.refuse()
	case owner.UID == 0 || owner.GID == 0:
		g.plan.Logger.Error("an account with the uid or gid 0 is refused")
		go h.refuse()
	default:
		// A worker that takes nothing holds up nobody but its own.
		go g.give(h, owner, identity)
	}
	return nil
}

// give gives a connection to the worker of its owner.
func (g *Generation) give(h *handover, o messages.Owner, identity []byte) {
	w, number, err := g.seat(o, h)
	if err != nil {
		g.plan.Logger.Error("a worker cannot be started", "uid", o.UID, "err", err)
		h.refuse()
		return
	}
	w.child.tell(messages.SessionOf(number, identity, h.about), h.stream)
	h.stream.Close()
	h.front.tell(messages.Numbered(messages.Accepted, h.number))
}

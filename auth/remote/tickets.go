package remote

import (
	"container/list"
	"crypto/rand"
	"sync"
	"time"

	"postrider/auth"
)

// TicketSize is the octets of a ticket.
const TicketSize = 32

const (
	// ticketTime is how long a ticket counts: a hand-over follows a login at once.
	ticketTime = 30 * time.Second
	// maxTickets bounds those that nobody redeemed; the oldest goes first.
	maxTickets = 4096
)

// Ticket names an identity that was proved. It cannot be guessed.
type Ticket [TicketSize]byte

// Tickets keeps the identities that were proved until they are asked for. Its methods
// may be called by any number of goroutines.
type Tickets struct {
	mu     sync.Mutex
	byName map[Ticket]*list.Element
	order  *list.List // of kept, the oldest first
}

type kept struct {
	ticket Ticket
	id     *auth.Identity
	until  time.Time
}

// NewTickets returns an empty set.
func NewTickets() *Tickets {
	return &Tickets{byName: make(map[Ticket]*list.Element), order: list.New()}
}

// Issue keeps an identity under a new ticket.
func (t *Tickets) Issue(id *auth.Identity) Ticket {
	var ticket Ticket
	_, _ = rand.Read(ticket[:]) // never fails
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for e := t.order.Front(); e != nil && (t.order.Len() >= maxTickets || !e.Value.(kept).until.After(now)); e = t.order.Front() {
		t.remove(e)
	}
	t.byName[ticket] = t.order.PushBack(kept{ticket, id, now.Add(ticketTime)})
	return ticket
}

// Redeem returns the identity of a ticket and forgets it; nil if there is none.
func (t *Tickets) Redeem(ticket Ticket) *auth.Identity {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byName[ticket]
	if e == nil {
		return nil
	}
	k := e.Value.(kept)
	t.remove(e)
	if !k.until.After(time.Now()) {
		return nil
	}
	return k.id
}

func (t *Tickets) remove(e *list.Element) {
	delete(t.byName, e.Value.(kept).ticket)
	t.order.Remove(e)
}

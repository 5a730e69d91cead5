package authority

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strconv"
	"sync"

	"postrider/auth"
	"postrider/auth/remote"
	"postrider/cmd/messages"
	"postrider/packet"
)

// House is the accounts.
type House struct {
	Backend auth.Backend
	// Prepare is called with who has logged in and whom the session will belong to.
	Prepare func(*auth.Identity, messages.Owner) error
	Logger  *slog.Logger
	Close   func() // called at the end
}

// keeper is the process.
type keeper struct {
	House
	control *packet.Conn
	tickets *remote.Tickets
	links   sync.WaitGroup
}

// Run checks passwords until the parent closes control or ctx ends. open is called
// with the settings that the parent sends first.
func Run(ctx context.Context, control *packet.Conn, open func(settings []byte) (*House, error)) error {
	k := &keeper{control: control, tickets: remote.NewTickets()}
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		k.links.Wait()
		if k.Close != nil {
			k.Close()
		}
	}()
	defer cancel()
	defer control.Close()
	stop := context.AfterFunc(ctx, func() { control.Close() })
	defer stop()
	buf := make([]byte, packet.MaxMessage)
	for {
		m, files, err := control.Receive(buf)
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		err = k.take(ctx, m, files, open)
		packet.CloseAll(files)
		if err != nil {
			return err
		}
	}
}

// take does what one message says. The files are closed after it.
func (k *keeper) take(ctx context.Context, m []byte, files []*os.File, open func([]byte) (*House, error)) error {
	f := packet.NewFields(m)
	switch kind := messages.Kind(f.Octet()); {
	case kind == messages.Settings && k.Backend == nil:
		house, err := open(m[1:])
		if err != nil {
			return err
		}
		k.House = *house
		return k.control.Send([]byte{byte(messages.Ready)})
	case kind == messages.Accounts && k.Backend != nil && len(files) == 1:
		return k.link(ctx, files[0])
	case kind == messages.Redeem && k.Backend != nil:
		return k.redeem(f)
	}
	return packet.ErrMalformed
}

// link begins to check passwords for a front.
func (k *keeper) link(ctx context.Context, file *os.File) error {
	c, err := packet.New(file)
	if err != nil {
		return err
	}
	k.links.Go(func() {
		err := remote.NewServer(k.Backend, k.tickets, k.Logger).Serve(ctx, c)
		if err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
			k.Logger.Error("the front said what it never says, or is gone", "err", err)
		}
	})
	return nil
}

// redeem says whom a ticket stands for. A home that is made on the way holds nobody up.
func (k *keeper) redeem(f *packet.Fields) error {
	number, ticket, err := messages.ReadRedeem(f)
	if err != nil {
		return err
	}
	id := k.tickets.Redeem(ticket)
	if id == nil {
		k.Logger.Error("a ticket that does not count was shown")
		return k.control.Send(messages.RedeemedOf(number, messages.Owner{}, nil))
	}
	k.links.Go(func() {
		if err := k.control.Send(k.redeemed(number, id)); err != nil {
			k.Logger.Error("the parent takes no message", "err", err)
		}
	})
	return nil
}

func (k *keeper) redeemed(number uint64, id *auth.Identity) []byte {
	owner, err := ownerOf(id)
	if err == nil {
		err = k.Prepare(id, owner)
	}
	if err != nil {
		k.Logger.Error("an account cannot be served", "user", id.Login, "err", err)
		return messages.RedeemedOf(number, messages.Owner{}, nil)
	}
	return messages.RedeemedOf(number, owner, messages.Identity{Identity: *id}.Append(nil))
}

// ownerOf is whom the sessions of an account belong to: its uid and gid, or those of
// its system user, whose groups count too.
func ownerOf(id *auth.Identity) (messages.Owner, error) {
	uid, gid := id.UID, id.GID
	var groups []uint32
	u, err := lookup(id)
	if err != nil {
		return messages.Owner{}, err
	}
	if u != nil {
		if uid == auth.Unknown {
			uid, err = strconv.Atoi(u.Uid)
		}
		if gid == auth.Unknown && err == nil {
			gid, err = strconv.Atoi(u.Gid)
		}
		if err == nil {
			groups, err = groupsOf(u)
		}
		if err != nil {
			return messages.Owner{}, fmt.Errorf("the user %q: %w", id.User, err)
		}
	}
	if uid <= 0 || gid <= 0 {
		return messages.Owner{}, fmt.Errorf("uid %d and gid %d cannot have sessions", uid, gid)
	}
	return messages.Owner{UID: uint32(uid), GID: uint32(gid), Groups: groups}, nil
}

// lookup is the system user of an account, nil if it has none. One that the system does
// not know is none where the account has uid and gid: it comes from another passwd file.
func lookup(id *auth.Identity) (*user.User, error) {
	if id.User == "" {
		return nil, nil
	}
	u, err := user.Lookup(id.User)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) && id.UID != auth.Unknown && id.GID != auth.Unknown {
		return nil, nil
	}
	return u, err
}

// groupsOf are the groups of a user that count beside its own. The group of root is
// left out, whoever is in it.
func groupsOf(u *user.User) ([]uint32, error) {
	names, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	var groups []uint32
	for _, name := range names {
		g, err := strconv.ParseUint(name, 10, 32)
		if err != nil {
			return nil, err
		}
		if g != 0 && !slices.Contains(groups, uint32(g)) {
			groups = append(groups, uint32(g))
		}
	}
	slices.Sort(groups)
	return groups, nil
}

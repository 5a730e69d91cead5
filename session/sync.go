package session

import (
	"context"
	"sort"
	"strconv"

	"postrider/imap"
	"postrider/mail"
	"postrider/mailbox"
)

// syncing says how the view is to be moved.
type syncing struct {
	expunge bool        // EXPUNGE may be told (RFC 3501 7.4.1)
	uid     bool        // FETCH responses name the UID (RFC 3501 6.4.8)
	quiet   mail.UIDSet // whose flags the command itself tells: a resolved set
}

// sync moves the view to the newest snapshot and tells the client the difference.
// It returns those of quiet whose flags have changed, for the command to tell.
func (s *Session) sync(ctx context.Context, how syncing) (changed mail.UIDSet, err error) {
	snap, err := s.sel.newest(ctx)
	if err != nil {
		return nil, err
	}
	for u := range s.sel.view.Sync(snap, how.expunge) {
		switch u.Kind {
		case mailbox.Expunge:
			s.tellNumber(uint64(u.Seq), " EXPUNGE\r\n")
		case mailbox.Exists:
			s.tellNumber(uint64(u.N), " EXISTS\r\n")
		case mailbox.Recent:
			s.tellNumber(uint64(u.N), " RECENT\r\n")
		case mailbox.Keywords:
			s.tellFlagNames()
		case mailbox.Flags:
			if inSet(how.quiet, u.UID) {
				changed.Add(u.UID)
			} else {
				s.tellFlags(u.Seq, how.uid)
			}
		case mailbox.Invalid:
			return nil, imap.Bye("", "The mailbox was replaced by another; select it again")
		}
	}
	return changed, nil
}

// newest returns the newest snapshot, \Recent claimed, on disk: it may be told.
func (sel *selected) newest(ctx context.Context) (*mailbox.Snapshot, error) {
	if sel.Gone() {
		return nil, imap.Bye("", "The selected mailbox was deleted")
	}
	old, snap := sel.view.Snapshot(), sel.Snapshot()
	if snap == old {
		return snap, nil
	}
	lowest := max(snap.RecentFrom(), old.UIDNext())
	if !sel.readOnly && snap.Unclaimed() > 0 {
		var err error
		if lowest, snap, err = sel.ClaimRecent(ctx); err != nil {
			return nil, err
		}
	}
	if err := sel.Durable(ctx, snap); err != nil {
		return nil, err
	}
	sel.view.SetRecent(lowest, snap.UIDNext())
	return snap, nil
}

// inSet reports whether a resolved set holds the UID, at the cost of a search.
func inSet(set mail.UIDSet, uid mail.UID) bool {
	i := sort.Search(len(set), func(i int) bool { return set[i].Last >= uid })
	return i < len(set) && set[i].First <= uid
}

func (s *Session) tellNumber(n uint64, rest string) {
	b := append(s.Conn.AvailableBuffer(), "* "...)
	s.Conn.Write(append(strconv.AppendUint(b, n, 10), rest...))
}

// tellFlags writes a FETCH response with a message's flags.
func (s *Session) tellFlags(seq mail.SeqNum, uid bool) {
	m, _ := s.sel.view.Message(seq)
	b := append(s.Conn.AvailableBuffer(), "* "...)
	b = strconv.AppendUint(b, uint64(seq), 10)
	b = append(b, " FETCH ("...)
	if uid {
		b = append(b, "UID "...)
		b = strconv.AppendUint(b, uint64(m.UID), 10)
		b = append(b, ' ')
	}
	b = append(b, "FLAGS "...)
	b = imap.AppendFlags(b, m.Flags, s.sel.view.IsRecent(m.UID), s.sel.view.KeywordsAt(seq))
	s.Conn.Write(append(b, ")\r\n"...))
}

// tellFlagNames writes which flags there are and which can be kept (RFC 3501
// 7.2.6 and 7.1, PERMANENTFLAGS).
func (s *Session) tellFlagNames() {
	words := s.sel.view.Snapshot().Keywords()
	b := append(s.Conn.AvailableBuffer(), "* FLAGS "...)
	b = imap.AppendFlags(b, mail.AllFlags, false, words)
	b = append(b, "\r\n* OK [PERMANENTFLAGS "...)
	if s.sel.readOnly {
		s.Conn.Write(append(b, "()] No permanent flags permitted\r\n"...))
		return
	}
	b = imap.AppendFlags(b, mail.AllFlags, false, append(words[:len(words):len(words)], `\*`))
	s.Conn.Write(append(b, "] Limited\r\n"...))
}

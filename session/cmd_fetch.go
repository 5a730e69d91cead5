package session

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"

	"postrider/imap"
	"postrider/mail"
	"postrider/mailbox"
	"postrider/message"
	"postrider/wire"
)

type fetching struct {
	messages
	items []imap.FetchItem
}

// parseFetch reads the arguments of FETCH and UID FETCH.
//
//	fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")
func parseFetch(set func(*imap.Decoder) messages) func(*imap.Decoder) fetching {
	return func(d *imap.Decoder) (a fetching) {
		a.messages = set(d)
		d.SP()
		a.items = d.FetchItems()
		return a
	}
}

// plan is what a FETCH needs of each message.
type plan struct {
	items   []imap.FetchItem
	want    wants
	flags   bool // FLAGS is among the items
	seen    bool // sets \Seen
	facts   bool // size or internal date
	text    bool // the message is opened for every answer
	changed mail.UIDSet
}

func newPlan(items []imap.FetchItem, uid bool) *plan {
	p := &plan{}
	has := func(k imap.FetchKind) bool {
		return slices.ContainsFunc(items, func(it imap.FetchItem) bool { return it.Kind == k })
	}
	if uid && !has(imap.FetchUID) {
		p.items = append(p.items, imap.FetchItem{Kind: imap.FetchUID})
	}
	p.items = append(p.items, items...)
	for _, it := range items {
		p.need(it)
	}
	return p
}

// need notes what an item needs.
func (p *plan) need(it imap.FetchItem) {
	switch it.Kind {
	case imap.FetchFlags:
		p.flags = true
	case imap.FetchInternalDate, imap.FetchSize:
		p.facts = true
	case imap.FetchEnvelope:
		p.want |= wantEnvelope
	case imap.FetchBody:
		p.want |= wantBody
	case imap.FetchBodyStructure:
		p.want |= wantStructure
	case imap.FetchRFC822:
		p.seen, p.text = true, true
	case imap.FetchRFC822Text:
		p.seen, p.text, p.want = true, true, p.want|wantTable
	case imap.FetchRFC822Header:
		p.text, p.want = true, p.want|wantTable
	case imap.FetchSection:
		p.seen = p.seen || !it.Peek
		switch s := it.Section; {
		case cachedFields(s):
			p.want |= wantHeaders
		case len(s.Path) == 0 && s.Text == imap.SectionAll:
			p.text = true
		default:
			p.text, p.want = true, p.want|wantTable
		}
	}
}

// cachedFields reports whether a section is made of what the cache holds.
func cachedFields(s imap.Section) bool {
	return s.Text == imap.SectionFields && len(s.Path) == 0 && allCommon(s.Fields)
}

// fetch runs FETCH and UID FETCH (RFC 3501 6.4.5). A message that is gone, or whose
// file cannot be read, is answered as far as that needs no file, and the command ends
// NO [EXPUNGEISSUED] or NO [CONTACTADMIN].
func (s *Session) fetch(ctx context.Context, c *wire.Command, a fetching) error {
	uids, err := s.resolve(a.messages)
	if err != nil || len(uids) == 0 {
		return err
	}
	p := newPlan(a.items, c.UID())
	if p.seen && !s.sel.readOnly {
		if err := s.setSeen(ctx, c, p, uids); err != nil && !cannotWrite(err) {
			return err
		}
	}
	if s.unknownFacts(p, uids) == nil {
		return s.answerAll(ctx, c, p, uids)
	}
	var missing error
	for part := range parts(uids, fillAtOnce) { // so that the first answers do not wait for the last
		if err := s.fillFacts(ctx, p, part); err != nil {
			return err
		}
		if err := s.answerAll(ctx, c, p, part); err != nil {
			if !isMissing(err) {
				return err
			}
			if missing == nil {
				missing = err
			}
		}
	}
	return missing
}

// fillAtOnce is of how many messages sizes and dates are found out before any of them is
// answered.
const fillAtOnce = 1000

// parts cuts a resolved set into sets of at most n.
func parts(uids mail.UIDSet, n int) iter.Seq[mail.UIDSet] {
	return func(yield func(mail.UIDSet) bool) {
		var part mail.UIDSet
		left := n
		for uid := range uids.All() {
			part.Add(uid)
			if left--; left == 0 {
				if !yield(part) {
					return
				}
				part, left = nil, n
			}
		}
		if len(part) > 0 {
			yield(part)
		}
	}
}

// cannotWrite says that \Seen could not be set for a reason that must not keep anybody
// from reading: a full disk, files that may only be read, a lock that another program
// does not let go of.
func cannotWrite(err error) bool {
	return errors.Is(err, mailbox.ErrFull) || errors.Is(err, mailbox.ErrReadOnly) || errors.Is(err, mailbox.ErrInUse)
}

// setSeen sets \Seen where it is missing, in one batch, and moves the view: the
// flags that changed are then part of the answer.
func (s *Session) setSeen(ctx context.Context, c *wire.Command, p *plan, uids mail.UIDSet) error {
	var unseen mail.UIDSet
	for seq, m := range s.each(uids) {
		if _, live := s.sel.view.Message(seq); live && !m.Flags.Has(mail.Seen) {
			unseen.Add(m.UID)
		}
	}
	if len(unseen) == 0 {
		return nil
	}
	res, err := s.sel.SetFlags(ctx, unseen, mail.FlagChange{Op: mail.AddFlags, Flags: mail.Seen}, 0)
	if err != nil {
		return err
	}
	if err := s.sel.Durable(ctx, res.Snapshot); err != nil {
		return err
	}
	p.changed, err = s.sync(ctx, syncing{uid: c.UID(), quiet: uids})
	return err
}

// each yields the messages of a resolved set as the view shows them.
func (s *Session) each(uids mail.UIDSet) iter.Seq2[mail.SeqNum, mailbox.Message] {
	return func(yield func(mail.SeqNum, mailbox.Message) bool) {
		for uid := range uids.All() {
			seq, ok := s.sel.view.Seq(uid)
			if !ok {
				continue
			}
			if m, _ := s.sel.view.Message(seq); !yield(seq, m) {
				return
			}
		}
	}
}

// unknownFacts are the messages whose sizes or dates are asked for and not known.
func (s *Session) unknownFacts(p *plan, uids mail.UIDSet) (unknown mail.UIDSet) {
	if !p.facts {
		return nil
	}
	for _, m := range s.each(uids) {
		if m.CRLFSize < 0 || m.Internal.IsZero() {
			unknown.Add(m.UID)
		}
	}
	return unknown
}

// fillFacts has sizes and dates found out that are not known. What else is asked of
// messages that must be read for that is derived from the same reading, and found in
// the cache. The view may move without EXPUNGE, so that it shows them.
func (s *Session) fillFacts(ctx context.Context, p *plan, uids mail.UIDSet) error {
	unknown := s.unknownFacts(p, uids)
	if unknown == nil {
		return nil
	}
	_, err := s.sel.FillReading(ctx, unknown, func(uid mail.UID, text mailbox.Served) {
		if p.want == 0 {
			return
		}
		var known derived
		if known.cached(s.sel.Mailbox, uid, p.want) {
			return
		}
		if d, err := deriveText(text); err == nil { // else whoever answers will see
			d.put(s.sel.Mailbox, uid)
		}
	})
	return err
}

// answerAll answers every message in order. Its error is, at the end, that of the
// first message that could not be answered whole; any other ends it at once.
func (s *Session) answerAll(ctx context.Context, c *wire.Command, p *plan, uids mail.UIDSet) error {
	next, stop := iter.Pull(uids.All())
	pre := s.prepare(ctx, p.want, next, stop)
	defer pre.done()
	var missing error
	for m := pre.take(); m != nil; m = pre.take() {
		lack, err := s.answer(ctx, c, p, m)
		if err != nil {
			return err
		}
		if lack != nil && missing == nil {
			missing = lack
			s.warn(m.uid, lack)
		}
		if err := c.Err(); err != nil {
			return err
		}
	}
	return missing
}

// warn logs why a message cannot be read: nobody else tells the administrator.
func (s *Session) warn(uid mail.UID, err error) {
	if errors.Is(err, mailbox.ErrUnreadable) {
		s.Logger.Warn("a message cannot be read", "user", s.User, "uid", uid, "error", err)
	}
}

// response is one FETCH response being written.
type response struct {
	*wire.Command
	s     *Session
	plan  *plan
	pre   *prepared
	seq   mail.SeqNum
	m     mailbox.Message
	text  mailbox.Served // nil if it is not needed, or gone
	parts *message.Message
	sep   string
}

// answer writes one message's response. lack says why something of it could not be
// answered: the message is gone, or cannot be read.
func (s *Session) answer(ctx context.Context, c *wire.Command, p *plan, pre *prepared) (lack, err error) {
	seq, shown := s.sel.view.Seq(pre.uid)
	if !shown {
		return mailbox.ErrVanished, nil
	}
	r := &response{Command: c, s: s, plan: p, pre: pre, seq: seq, sep: " ("}
	var live bool
	switch r.m, live = s.sel.view.Message(seq); {
	case !live:
		lack = mailbox.ErrVanished
	case p.facts && !s.facts(&r.m):
		lack = s.whyUnknown(ctx, pre.uid)
	default:
		lack = pre.err
	}
	if lack == nil && p.text {
		if r.text, lack = s.sel.OpenMessage(ctx, pre.uid); lack == nil {
			defer r.text.Close()
		}
	}
	if lack != nil && !isMissing(lack) {
		return nil, lack
	}
	return lack, r.write(lack == nil)
}

// whyUnknown is why nothing could be found out about a message.
func (s *Session) whyUnknown(ctx context.Context, uid mail.UID) error {
	text, err := s.sel.OpenMessage(ctx, uid)
	if err != nil {
		return err
	}
	text.Close()
	return mailbox.ErrVanished // and came back
}

// facts takes over what fillFacts found out; false if that is not all: the message
// is gone, or cannot be read.
func (s *Session) facts(m *mailbox.Message) bool {
	if m.CRLFSize < 0 || m.Internal.IsZero() {
		if now, ok := s.sel.Snapshot().Lookup(m.UID); ok {
			m.CRLFSize, m.Internal = now.CRLFSize, now.Internal
		}
	}
	return m.CRLFSize >= 0 && !m.Internal.IsZero()
}

// write writes the items that can be answered.
func (r *response) write(whole bool) error {
	if r.pre.table != nil && r.text != nil {
		var err error
		if r.parts, err = message.LoadTable(r.pre.table); err != nil {
			return err
		}
	}
	begun := false
	for _, it := range r.plan.items {
		if !whole && !r.known(it) {
			continue
		}
		if !begun {
			r.begin()
			begun = true
		}
		if err := r.item(it); err != nil {
			return err
		}
	}
	if begun {
		if inSet(r.plan.changed, r.m.UID) && !r.plan.flags {
			r.flags()
		}
		r.WriteString(")\r\n")
	}
	return nil
}

func (r *response) begin() {
	b := append(r.AvailableBuffer(), "* "...)
	b = strconv.AppendUint(b, uint64(r.seq), 10)
	r.Write(append(b, " FETCH"...))
}

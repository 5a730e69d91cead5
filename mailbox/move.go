package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"postrider/index"
	"postrider/mail"
)

// Move moves the messages of uids, a resolved set, to dst (RFC 6851), each in one
// step. Those that are gone are left out. On an error the result says what was
// moved until then. Call Durable for DestSnapshot first, then SourceSnapshot.
func Move(ctx context.Context, src *Mailbox, uids mail.UIDSet, dst *Mailbox) (CopyResult, error) {
	var res CopyResult
	var err error
	for part := range slices1000(uids) {
		if err = moveSome(ctx, src, part, dst, &res); err != nil {
			break
		}
	}
	res.SourceSnapshot, res.DestSnapshot = src.Snapshot(), dst.Snapshot()
	res.Validity = res.DestSnapshot.UIDValidity()
	if errors.Is(err, syscall.EXDEV) {
		return moveByCopy(ctx, src, uids, dst)
	}
	if err != nil {
		return res, fmt.Errorf("moving: %w", noSpace(err))
	}
	return res, nil
}

// moveByCopy moves between two file systems.
func moveByCopy(ctx context.Context, src *Mailbox, uids mail.UIDSet, dst *Mailbox) (CopyResult, error) {
	res, err := Copy(ctx, src, src.Snapshot().existing(uids), dst)
	if err != nil {
		return res, err
	}
	if err := dst.Durable(ctx, res.DestSnapshot); err != nil {
		return res, err
	}
	res.SourceSnapshot, _, err = src.Expunge(ctx, res.Source, false)
	return res, err
}

// existing are the numbers of a resolved set that the snapshot has.
func (s *Snapshot) existing(uids mail.UIDSet) mail.UIDSet {
	var out mail.UIDSet
	for u := range uids.All() {
		if _, ok := s.Find(u); ok {
			out.Add(u)
		}
	}
	return out
}

// moveSome moves one slice with both mailboxes locked, in the order of their IDs.
func moveSome(ctx context.Context, src *Mailbox, uids []mail.UID, dst *Mailbox, res *CopyResult) error {
	if src == dst {
		return src.change(ctx, func() error {
			return dst.give(ctx, func() error { return moveLocked(ctx, src, uids, dst, res) })
		})
	}
	first, second := src, dst
	if dst.dev < src.dev || dst.dev == src.dev && dst.ino < src.ino {
		first, second = dst, src
	}
	return first.change(ctx, func() error {
		return second.change(ctx, func() error {
			return dst.give(ctx, func() error { return moveLocked(ctx, src, uids, dst, res) })
		})
	})
}

// moved is a message that lies in the destination now.
type moved struct {
	msg      Message
	keywords []string
	file     mail.MessageFile
}

func moveLocked(ctx context.Context, src *Mailbox, uids []mail.UID, dst *Mailbox, res *CopyResult) error {
	var done []moved
	notes, err := dst.intend(src, uids)
	if err != nil {
		return err
	}
	for _, uid := range uids {
		s := src.Snapshot()
		msg, ok := s.Lookup(uid)
		if !ok {
			continue
		}
		mv := moved{keywords: s.KeywordsOf(msg)}
		err = src.onFile(ctx, &msg, func(msg *Message) error {
			return dst.withReserve(func() (err error) {
				mv.file, err = src.moveFile(msg, dst)
				return err
			})
		})
		if errors.Is(err, ErrVanished) {
			err = nil
			continue
		}
		if err != nil {
			break
		}
		mv.msg = msg
		src.touched(msg.New, !msg.New)
		done = append(done, mv)
	}
	if len(done) == 0 {
		return err
	}
	dst.touched(false, true)
	if len(notes) > 0 {
		if serr := syncRenames(src, dst, done); serr != nil {
			return errors.Join(err, serr, moveBack(src, dst, done))
		}
	}
	return errors.Join(err, recordMove(src, dst, done, notes, res))
}

// moveFile renames one file. One whose base name the destination has already gets
// another.
func (m *Mailbox) moveFile(msg *Message, dst *Mailbox) (mail.MessageFile, error) {
	to := dst.folder.Dir()
	fresh := m == dst // a message moved to where it is gets a new name and UID
	if !fresh {
		_, _, fresh = dst.lookup(dst.Snapshot(), msg.Base)
	}
	f, err := m.folder.Move(msg.file(), to, fresh)
	if errors.Is(err, fs.ErrExist) && !fresh {
		f, err = m.folder.Move(msg.file(), to, true)
	}
	return f, err
}

// moveBack undoes the moves that could not be written down.
func moveBack(src, dst *Mailbox, done []moved) (err error) {
	for _, mv := range done {
		if _, e := dst.folder.Move(mv.file, src.folder.Dir(), false); e != nil {
			err = errors.Join(err, e)
		}
	}
	src.full, dst.full = true, true
	src.touched(false, true)
	dst.touched(false, true)
	return err
}

// recordMove tells the destination first: a crash between the two is found by
// reconciling.
func recordMove(src, dst *Mailbox, done []moved, notes []string, res *CopyResult) error {
	words := newWords(dst.Snapshot())
	var rows []index.Message
	var gone, from, to mail.UIDSet
	for _, mv := range done {
		set, err := words.set(mv.keywords)
		if err != nil {
			set = 0 // the message is there already: it goes without keywords
		}
		rows = append(rows, index.Message{
			Flags: mv.file.Flags, New: mv.file.New, Keywords: set, Size: mv.msg.Size, CRLFSize: mv.msg.CRLFSize,
			Internal: index.StampOf(mv.msg.Internal), Saved: index.StampOf(dst.now()),
			Base: strings.Clone(mv.file.Base), Info: strings.Clone(infoOf(mv.file)),
		})
		gone.Add(mv.msg.UID)
		from.Add(mv.msg.UID)
	}
	records, err := dst.numberRows(rows)
	if err == nil {
		err = dst.tell(slices.Concat(words.records(), records, cleared(notes))...)
	}
	for _, row := range rows {
		to.Add(row.UID)
	}
	if err != nil {
		if src == dst {
			return err
		}
		return errors.Join(err, moveBack(src, dst, done))
	}
	res.Source, res.Dest = append(res.Source, from...), append(res.Dest, to...)
	if err := src.tell(index.Vanished{UIDs: gone}); err != nil {
		return err // the next reconcile says it
	}
	return nil
}

package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"postrider/mail"
)

// relocate brings one message up to date whose file is not where the snapshot has
// it: it looks for that file, and if it finds none it reads the directories, since
// one look does not prove that a message is gone. It returns the message as it is
// then, ErrVanished if it is gone. Both locks are held.
func (m *Mailbox) relocate(ctx context.Context, msg *Message) (Message, error) {
	files, err := m.folder.Find(msg.Base)
	if err != nil {
		return Message{}, fmt.Errorf("looking for a message: %w", err)
	}
	v := newFindings(m.Snapshot())
	if m.settle(v, msg.Base, files) {
		err = m.commit(ctx, v)
	} else {
		err = m.reconcile(ctx, [2]bool{true, true})
	}
	if err != nil && !bearable(err) {
		return Message{}, err
	}
	now, ok := m.Snapshot().Lookup(msg.UID)
	if !ok {
		return Message{}, ErrVanished
	}
	return now, nil
}

// onFile does something to a message's file. If the file is not there, or its new
// name is taken, the message is looked for once and it is tried again.
func (m *Mailbox) onFile(ctx context.Context, msg *Message, do func(*Message) error) error {
	err := do(msg)
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if *msg, err = m.relocate(ctx, msg); err != nil {
		return err
	}
	if err = do(msg); errors.Is(err, fs.ErrNotExist) {
		m.full = true
		return ErrVanished // for now: it moves faster than we look
	}
	return err
}

// follow is relocate for who holds no lock.
func (m *Mailbox) follow(ctx context.Context, uid mail.UID) (msg Message, err error) {
	err = m.change(ctx, func() error {
		was, ok := m.Snapshot().Lookup(uid)
		if !ok {
			return ErrVanished
		}
		msg, err = m.relocate(ctx, &was)
		return err
	})
	return msg, err
}

// ignoreMissing is for what was to be removed anyway.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

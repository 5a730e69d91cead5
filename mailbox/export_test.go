package mailbox

import (
	"context"

	"postrider/index"
	"postrider/mail"
)

// UIDsAhead is how far ahead UIDNEXT is noted.
const UIDsAhead = uidsAhead

// GoOnAt raises UIDNEXT.
func (m *Mailbox) GoOnAt(ctx context.Context, next mail.UID) error {
	return m.change(ctx, func() error {
		return m.tell(index.ValiditySet{UIDValidity: m.Snapshot().validity, UIDNext: next})
	})
}

// CompactNow begins a new journal and writes the snapshot file, worth it or not.
func (m *Mailbox) CompactNow(ctx context.Context) error {
	return m.change(ctx, func() error {
		if err := m.compact(); err != nil {
			return err
		}
		m.snapped = -snapshotSize
		return m.checkpoint()
	})
}

// ReconcileNow reads both directories.
func (m *Mailbox) ReconcileNow(ctx context.Context) error {
	return m.change(ctx, func() error { return m.reconcile(ctx, [2]bool{true, true}) })
}

// Adopted says from what the mailbox was taken over, "" if it was not.
func (m *Mailbox) Adopted(ctx context.Context) (from string, err error) {
	err = m.change(ctx, func() error { from = m.side.marks[adoptedMark]; return nil })
	return from, err
}

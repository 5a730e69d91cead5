package mailbox

import (
	"context"
	"errors"

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
		return m.writeSnapshot()
	})
}

// ReconcileNow reads both directories.
func (m *Mailbox) ReconcileNow(ctx context.Context) error {
	return m.change(ctx, func() error { return m.reconcile(ctx, [2]bool{true, true}) })
}

// Small has snapshots made of small pieces, as those of a large mailbox are of large
// ones.
func (c *Config) Small() { c.shape = shape{5, 4} }

// CompactAside does the compactor's work, worth it or not. While the journal is
// written, and while the snapshot file is, it calls meanwhile.
func (m *Mailbox) CompactAside(ctx context.Context, meanwhile func() error) error {
	worth := func() bool { return true }
	d, err := m.beginJournal(ctx, worth)
	if err == nil {
		err = d.c.Write(records(d.s, d.head))
	}
	if err != nil {
		return err
	}
	if err = meanwhile(); err == nil {
		err = m.endJournal(ctx, d)
	}
	return errors.Join(err, m.SnapshotAside(ctx, meanwhile))
}

// SnapshotAside does the half of it.
func (m *Mailbox) SnapshotAside(ctx context.Context, meanwhile func() error) error {
	d, err := m.beginSnapshot(ctx, func() bool { return true })
	if err == nil {
		err = d.write(func() bool { return false })
	}
	if err != nil {
		return err
	}
	return errors.Join(meanwhile(), m.endSnapshot(ctx, d))
}

// GoQuiet does what a mailbox does that nobody does anything with.
func (m *Mailbox) GoQuiet(ctx context.Context) error {
	return m.change(ctx, func() error { m.goQuiet(); return nil })
}

// Resident is how many chunks are in memory, of how many.
func (m *Mailbox) Resident() (n, all int) {
	for _, c := range m.Snapshot().tree().chunks(0) {
		if all++; c.body.Load() != nil {
			n++
		}
	}
	return n, all
}

// Adopted says from what the mailbox was taken over, "" if it was not.
func (m *Mailbox) Adopted(ctx context.Context) (from string, err error) {
	err = m.change(ctx, func() error { from = m.side.marks[adoptedMark]; return nil })
	return from, err
}

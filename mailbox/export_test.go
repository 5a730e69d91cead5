package mailbox

import "context"

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

// DropChunks gives back the memory of what can be read again.
func (m *Mailbox) DropChunks(ctx context.Context) error {
	return m.change(ctx, func() error {
		for _, c := range m.Snapshot().tree().chunks(0) {
			if c.home.Load() != nil {
				c.body.Store(nil)
			}
		}
		return nil
	})
}

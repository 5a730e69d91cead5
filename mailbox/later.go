package mailbox

import "fmt"

// What other programs did to the names in a directory, and that we took mail from new to
// cur, need not be on the disk before it is told: a UID is safe once the journal is, and
// should a power cut undo a foreign rename or delivery, the next reading finds what is
// there, as after any other. So they are synced with the next change of ours, or when
// the mailbox is closed, since an mtime proves something only once its directory is on
// the disk.

// later notes a change of names in a directory that need not be on the disk before it is
// told.
func (y *syncer) later(isNew bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.deferred[dirIndex(isNew)] = true
}

// takeDeferred returns the directories whose syncing was put off.
func (y *syncer) takeDeferred() [2]bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	dirs := y.deferred
	y.deferred = [2]bool{}
	return dirs
}

// syncDeferred syncs what was put off. A failure leaves the mtimes unproven.
func (m *Mailbox) syncDeferred() error {
	if !m.c.Fsync {
		return nil
	}
	y := &m.sync
	y.run.Lock()
	defer y.run.Unlock()
	dirs := y.takeDeferred()
	if err := m.folder.Sync(dirs[inNewDir], dirs[inCurDir]); err != nil {
		y.later(true)
		y.later(false)
		return fmt.Errorf("syncing the folder: %w", err)
	}
	return nil
}

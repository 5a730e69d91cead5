package mailbox

import "sync/atomic"

// Stats are what mailboxes did since the process began.
type Stats struct {
	Readings     int64 // of a folder's directories, in full
	HintReadings int64 // of the files that hints named, and no others
	Opened       int64 // messages whose text was opened
	CacheHits    int64 // fields of a message that were in its cache
	CacheMisses  int64 // that were not
	CacheFills   int64 // messages of which fields were put into the cache
	Batches      int64 // written to journals
	Syncs        int64 // of a journal and its folder, for those who waited
	Waiters      int64 // who waited for one of these
	Snapshots    int64 // snapshot files
	SnapshotSize int64 // bytes of them
	Compactions  int64 // journals that were made anew
	Recoveries   int64 // states in doubt, or journals that could not be read, made sure
	LockWaits    int64 // for the lock of a folder, by more than a moment
	LockTimeouts int64 // commands that got ErrInUse
}

// Counts are Stats in the making. Mailboxes that share one add up, open or closed.
type Counts struct {
	readings, hintReadings, opened                atomic.Int64
	cacheHits, cacheMisses, cacheFills            atomic.Int64
	batches, syncs, waiters                       atomic.Int64
	snapshots, snapshotSize, compactions, recover atomic.Int64
	lockWaits, lockTimeouts                       atomic.Int64
}

// Stats returns the figures of this moment.
func (c *Counts) Stats() Stats {
	return Stats{
		Readings: c.readings.Load(), HintReadings: c.hintReadings.Load(), Opened: c.opened.Load(),
		CacheHits: c.cacheHits.Load(), CacheMisses: c.cacheMisses.Load(), CacheFills: c.cacheFills.Load(),
		Batches: c.batches.Load(), Syncs: c.syncs.Load(), Waiters: c.waiters.Load(),
		Snapshots: c.snapshots.Load(), SnapshotSize: c.snapshotSize.Load(),
		Compactions: c.compactions.Load(), Recoveries: c.recover.Load(),
		LockWaits: c.lockWaits.Load(), LockTimeouts: c.lockTimeouts.Load(),
	}
}

package watch

// Stats are a Watcher's figures.
type Stats struct {
	Watched   int   // directories and files that the kernel watches now
	Polled    int   // those that are looked at instead
	Events    int64 // hints that were told, since the start
	Overflows int64 // of the kernel's queue: events were lost
}

// Stats returns the figures of this moment.
func (w *Watcher) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Stats{Watched: len(w.byWD), Polled: len(w.polled), Events: w.events.Load(), Overflows: w.overflows}
}

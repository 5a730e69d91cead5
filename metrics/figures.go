package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"postrider/account"
	"postrider/serve"
	"postrider/watch"
)

// Sources are where the figures come from. All are required; they are called from any
// goroutine.
type Sources struct {
	Server  func() serve.Stats
	House   func() account.Stats
	Watch   func() watch.Stats
	Version string
}

// moment is what the sources said at one time.
type moment struct {
	serve.Stats
	house account.Stats
	watch watch.Stats
}

// figure is one metric.
type figure struct {
	name, help string
	kind       prometheus.ValueType
	value      func(*moment) int64
}

// figures are all metrics, in the order of docs/operations.md.
func figures() []figure {
	const level, count = prometheus.GaugeValue, prometheus.CounterValue
	return []figure{
		{"postrider_connections", "Connections that are open, logged in or not", level, func(m *moment) int64 { return int64(m.Open) }},
		{"postrider_sessions", "Connections that are logged in", level, func(m *moment) int64 { return int64(m.Open - m.Strangers) }},
		{"postrider_connections_total", "Connections that were accepted", count, func(m *moment) int64 { return m.Served }},
		{"postrider_connections_refused_total", "Connections that were refused because of MAXDAEMONS or MAXPERIP", count, func(m *moment) int64 { return m.Refused }},
		{"postrider_connections_displaced_total", "Connections that made way for others before they had logged in", count, func(m *moment) int64 { return m.Displaced }},
		{"postrider_tls_failures_total", "TLS handshakes that failed", count, func(m *moment) int64 { return m.Unsecure }},
		{"postrider_logins_total", "Logins that succeeded", count, func(m *moment) int64 { return m.Logins }},
		{"postrider_login_failures_total", "Logins that were refused, or could not be judged", count, func(m *moment) int64 { return m.Failures }},

		{"postrider_accounts", "Accounts that are open", level, func(m *moment) int64 { return int64(m.house.Accounts) }},
		{"postrider_mailboxes", "Mailboxes that are open, used or not", level, func(m *moment) int64 { return int64(m.house.Mailboxes) }},
		{"postrider_readings_total", "Full readings of the directories of a folder", count, func(m *moment) int64 { return m.house.Readings }},
		{"postrider_hint_readings_total", "Readings of the files that notifications named, and of no others", count, func(m *moment) int64 { return m.house.HintReadings }},
		{"postrider_messages_opened_total", "Message files that were opened for their text", count, func(m *moment) int64 { return m.house.Opened }},
		{"postrider_cache_hits_total", "Fields of messages that were found in the cache", count, func(m *moment) int64 { return m.house.CacheHits }},
		{"postrider_cache_misses_total", "Fields of messages that were looked for in the cache in vain", count, func(m *moment) int64 { return m.house.CacheMisses }},
		{"postrider_cache_fills_total", "Messages of which fields were put into the cache", count, func(m *moment) int64 { return m.house.CacheFills }},
		{"postrider_journal_batches_total", "Batches written to journals", count, func(m *moment) int64 { return m.house.Batches }},
		{"postrider_journal_syncs_total", "Times that a folder and its journal were brought to the disk for those who waited", count, func(m *moment) int64 { return m.house.Syncs }},
		{"postrider_journal_sync_waiters_total", "Who waited for that: divided by the syncs, how many each served", count, func(m *moment) int64 { return m.house.Waiters }},
		{"postrider_snapshots_total", "Snapshot files (index) that were written", count, func(m *moment) int64 { return m.house.Snapshots }},
		{"postrider_snapshot_bytes_total", "Their bytes", count, func(m *moment) int64 { return m.house.SnapshotSize }},
		{"postrider_compactions_total", "Journals that were made anew", count, func(m *moment) int64 { return m.house.Compactions }},
		{"postrider_recoveries_total", "Mailboxes whose state was in doubt, or whose journal could not be read, and was made sure", count, func(m *moment) int64 { return m.house.Recoveries }},
		{"postrider_lock_waits_total", "Times that the lock of a folder was waited for, longer than a millisecond", count, func(m *moment) int64 { return m.house.LockWaits }},
		{"postrider_lock_timeouts_total", "Commands that gave up waiting for a mailbox after LOCK_TIMEOUT", count, func(m *moment) int64 { return m.house.LockTimeouts }},

		{"postrider_watches", "Directories and files that the kernel watches", level, func(m *moment) int64 { return int64(m.watch.Watched) }},
		{"postrider_polled", "Directories and files that are polled instead", level, func(m *moment) int64 { return int64(m.watch.Polled) }},
		{"postrider_hints_total", "Notifications that were handed to a mailbox or an account", count, func(m *moment) int64 { return m.watch.Events }},
		{"postrider_watch_overflows_total", "Times that the kernel lost notifications", count, func(m *moment) int64 { return m.watch.Overflows }},
	}
}

// collector is the figures as Prometheus wants them.
type collector struct {
	from    Sources
	figures []figure
	descs   []*prometheus.Desc
}

func newCollector(from Sources) *collector {
	c := &collector{from: from, figures: figures()}
	for _, f := range c.figures {
		c.descs = append(c.descs, prometheus.NewDesc(f.name, f.help, nil, nil))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		to <- d
	}
}

// Collect implements prometheus.Collector. Each source is asked once.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	now := moment{c.from.Server(), c.from.House(), c.from.Watch()}
	for i, f := range c.figures {
		to <- prometheus.MustNewConstMetric(c.descs[i], f.kind, float64(f.value(&now)))
	}
}

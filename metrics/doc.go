// Package metrics tells the figures of a running server to Prometheus.
//
// It counts nothing itself: it asks for the Stats of the packages that do, each time that
// somebody asks it, and knows how their numbers are called outside. It owns the HTTP server
// that answers GET /metrics, and nothing else is answered there.
package metrics

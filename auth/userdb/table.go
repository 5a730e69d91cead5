package userdb

import (
	"errors"
	"log/slog"
	"strings"
	"time"
)

// maxComplaints is how many lines one reading reports; the rest is counted.
const maxComplaints = 100

// table is one state of a userdb. It is never written after it was read. Keys
// and records are pieces of the files' texts, so that an account costs its line
// and one map entry.
type table struct {
	source       *source
	accounts     map[string]record
	like         string         // a stored password of the most common kind
	able         map[string]int // accounts that can use a mechanism without sending the password
	withPassword int            // accounts that have one
	settled      bool           // a later change cannot have the same time stamps
}

// grain is the age from which a file's time stamps tell it from a later state:
// some file systems count seconds.
const grain = 2 * time.Second

// readTable reads the userdb at path. Lines that cannot be read are logged and
// skipped.
func readTable(path string, log *slog.Logger) (*table, error) {
	t := &table{accounts: make(map[string]record), able: make(map[string]int)}
	r := reading{table: t, log: log, families: make(map[string]family)}
	now := time.Now()
	var err error
	if t.source, err = readSource(path, r.file, r.bad); err != nil {
		return nil, err
	}
	t.settled = now.Sub(t.source.newest) >= grain
	if r.complaints > maxComplaints {
		log.Warn("userdb has more mistakes", "path", path, "count", r.complaints-maxComplaints)
	}
	most := 0
	for _, f := range r.families {
		if f.count > most {
			most, t.like = f.count, f.example
		}
	}
	log.Info("userdb read", "path", path, "accounts", len(t.accounts), "mistakes", r.complaints)
	return t, nil
}

// fresh reports whether the table is still what the files say.
func (t *table) fresh() bool {
	if !t.settled && time.Since(t.source.newest) >= grain {
		return false
	}
	return t.source.unchanged()
}

// reading is the work of one readTable.
type reading struct {
	*table
	log        *slog.Logger
	complaints int
	families   map[string]family
}

// family is how often a kind of stored password occurs.
type family struct {
	count   int
	example string
}

func (r *reading) file(path, text string) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		key, rec, err := parseLine(strings.TrimSuffix(line, "\n"))
		if _, taken := r.accounts[key]; err == nil && key != "" && taken {
			err = errors.New("name occurs a second time")
		}
		switch {
		case err != nil:
			r.complain("userdb line skipped", "file", path, "line", number, "reason", err.Error())
		case key != "":
			r.accounts[key] = rec
			r.count(rec.stored("imap"))
			r.countMechanisms(rec)
		}
	}
}

func (r *reading) bad(path string, err error) {
	r.complain("userdb file skipped", "file", path, "reason", err.Error())
}

func (r *reading) complain(message string, args ...any) {
	if r.complaints++; r.complaints <= maxComplaints {
		r.log.Warn(message, args...)
	}
}

// count notes the kind of a stored password: "{SSHA}", "$6$", "" for DES.
func (r *reading) count(stored string) {
	if stored == "" {
		return
	}
	kind := ""
	if end := strings.IndexAny(stored[1:], "}$"); end >= 0 {
		kind = stored[:end+2]
	}
	f := r.families[kind]
	if f.count++; f.example == "" {
		f.example = stored
	}
	r.families[kind] = f
}

// countMechanisms notes what an account can be proved with.
func (r *reading) countMechanisms(rec record) {
	names := rec.mechanisms("imap")
	for _, name := range names {
		r.able[name]++
	}
	if len(names) > 0 || rec.stored("imap") != "" {
		r.withPassword++
	}
}

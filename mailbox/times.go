package mailbox

import (
	"fmt"
	"time"

	"postrider/index"
	"postrider/mail"
)

// grain is how old a directory's mtime must be before it proves anything: file
// systems cut times to as much as two seconds, and a change within the same grain
// does not show.
const grain = 2 * time.Second

// dirState is what is known of one directory by its mtime.
//
// Where a watch covers the directory, every change comes as a hint; the mtime only
// shows that one was lost: an mtime that neither a change of ours nor a hint
// explains. Where none does, the mtime is all there is.
type dirState struct {
	seen      time.Time // the mtime that our state stands for; zero: unknown
	firm      bool      // nothing can hide behind seen
	explained bool      // watched: a change of ours or a hint accounts for a new mtime
	broken    bool      // the watch may have lost something
	whole     time.Time // broken: when nothing was lost yet; zero: not known
	late      bool      // not watched: it had changed before we changed it
	read      time.Time // when the directory was last read
}

// unread says which directories must be read to be current, under the lock.
func (m *Mailbox) unread() (dirs [2]bool, err error) {
	if m.full {
		return [2]bool{true, true}, nil
	}
	t, err := m.folder.Times()
	if err != nil {
		return dirs, fmt.Errorf("looking at the directories: %w", err)
	}
	now, covered, drained := m.now(), m.covered(), false
	for i, mtime := range [2]time.Time{t.New, t.Cur} {
		if covered && !drained && (!mtime.Equal(m.dirs[i].seen) || now.Sub(mtime) < grain) {
			drained = m.c.Watch.Drained()
		}
	}
	drained = drained && m.hints.empty()
	for i, mtime := range [2]time.Time{t.New, t.Cur} {
		before := m.dirs[i]
		if dirs[i] = m.dirs[i].stale(mtime, covered, drained, now, m.c.Poll); m.dirs[i] != before {
			m.parted = 0 // there may be more to believe
		}
	}
	return dirs, nil
}

// lose notes that the watch may have lost something, but nothing before since.
func (d *dirState) lose(since time.Time) {
	if !d.broken || since.Before(d.whole) {
		d.whole = since
	}
	d.broken = true
}

// intact says that the watch lost nothing of this directory: the mtime is one behind
// which nothing can hide, or it is older than what was lost, and accounted for.
func (d *dirState) intact(mtime time.Time) bool {
	same := mtime.Equal(d.seen)
	accounted := same || d.explained && mtime.After(d.seen)
	return same && d.firm || accounted && d.whole.Sub(mtime) >= grain
}

func (m *Mailbox) covered() bool { return m.c.Watch != nil && m.c.Watch.Covers() }

func (d *dirState) stale(mtime time.Time, covered, drained bool, now time.Time, poll time.Duration) bool {
	same, old := mtime.Equal(d.seen), now.Sub(mtime) >= grain
	switch {
	case d.broken && !d.intact(mtime):
		return true
	case d.broken:
		*d = dirState{seen: mtime, firm: true, read: d.read}
		return false
	case covered && same:
		return false
	case covered && drained && d.explained:
		d.seen, d.explained, d.firm = mtime, false, old
		return false
	case !same:
		return true
	case d.firm:
		return false
	}
	return old && (now.Sub(d.read) >= poll || d.read.Before(mtime.Add(grain)))
}

// lookBefore notes, where there is no watch, whether a directory has changed behind
// us already: a change of ours must not hide that.
func (m *Mailbox) lookBefore() {
	if m.covered() {
		return
	}
	t, err := m.folder.Times()
	m.dirs[inNewDir].late = err != nil || !t.New.Equal(m.dirs[inNewDir].seen)
	m.dirs[inCurDir].late = err != nil || !t.Cur.Equal(m.dirs[inCurDir].seen)
}

// noteOwnChanges moves the mtimes on after changes of ours, at the end of a lock.
// Without a watch a foreign change in the same moment may hide behind ours, until
// the next reading.
func (m *Mailbox) noteOwnChanges() {
	if m.own == [2]bool{} {
		return
	}
	covered := m.covered()
	t, err := m.folder.Times()
	for i, mtime := range [2]time.Time{t.New, t.Cur} {
		d := &m.dirs[i]
		switch {
		case !m.own[i]:
		case covered:
			d.explained = true
		case err == nil && !d.late && !d.seen.IsZero():
			d.seen, d.firm, d.read = mtime, false, maxTime(d.read, mtime.Add(grain))
			m.lookAgain()
		}
	}
	m.own = [2]bool{}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// noteReading records a reading of directories whose mtimes were before and after
// it as given.
func (m *Mailbox) noteReading(dirs [2]bool, before, after mail.FolderTimes, began time.Time) {
	b, a := [2]time.Time{before.New, before.Cur}, [2]time.Time{after.New, after.Cur}
	m.parted = 0
	for i := range dirs {
		if !dirs[i] {
			continue
		}
		d := dirState{seen: b[i], read: began}
		d.firm = b[i].Equal(a[i]) && began.Sub(b[i]) >= grain
		m.dirs[i] = d
	}
}

// provable returns the mtimes that stand for the present state and that a later
// process may believe: those behind which nothing can hide, of directories whose
// changes are on disk.
func (m *Mailbox) provable() index.Times {
	t, err := m.folder.Times()
	if err != nil || m.full || m.doubtful.Load() || m.c.Fsync && !m.sync.clean() || len(m.twins) > 0 {
		return index.Times{} // of second names only a reading tells, not the journal
	}
	now, covered := m.now(), m.covered()
	drained := covered && m.c.Watch.Drained() && m.hints.empty()
	good := func(i int, mtime time.Time) bool {
		d := &m.dirs[i]
		same, old := mtime.Equal(d.seen), now.Sub(mtime) >= grain
		return old && !d.broken && !d.seen.IsZero() && (same && d.firm || drained && (same || d.explained))
	}
	out := index.Times{FolderTimes: t, NewKnown: good(inNewDir, t.New), CurKnown: good(inCurDir, t.Cur)}
	return out
}

func sameTimes(a, b index.Times) bool {
	return a.NewKnown == b.NewKnown && a.CurKnown == b.CurKnown && (!a.NewKnown || a.New.Equal(b.New)) && (!a.CurKnown || a.Cur.Equal(b.Cur))
}

// believe takes over what the journal says of the mtimes, after it was read.
func (m *Mailbox) believe(t index.Times) {
	if t.NewKnown {
		m.dirs[inNewDir] = dirState{seen: t.New, firm: true, read: m.now()}
	}
	if t.CurKnown {
		m.dirs[inCurDir] = dirState{seen: t.Cur, firm: true, read: m.now()}
	}
}

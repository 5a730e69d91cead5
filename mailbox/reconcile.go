package mailbox

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"postrider/index"
	"postrider/mail"
)

// What makes a Maildir hard to read is that other programs rename its files all the
// time. A reading of a directory that overlaps renames misses files and shows others
// twice; a directory's mtime has a grain, so a change right after a reading may not
// show. So:
//
//   - new is read before cur: a file moves from new to cur, and is then met twice
//     rather than not at all.
//   - A message is gone only if its base name was missing from two readings, no hint
//     that waits names it, and a look at the likely names finds nothing.
//   - A base name that is met twice is one message if it is one file; else the second
//     file is another message, and gets a name of its own.
//   - An mtime stands for a reading only if a watch saw everything since before it,
//     or if it is older than youngest.

// youngest is the age below which an mtime proves nothing.
const youngest = 2 * time.Second

// maxFinds bounds the looks for single files after a reading.
const maxFinds = 256

// Refresh looks at the directories' times and the journal's length, reconciles if
// they, or pending hints, call for it, and returns the newest snapshot. SELECT,
// EXAMINE, NOOP, CHECK, STATUS and the start of IDLE call it. It gives UIDs to new
// files but leaves them in new, and claims nothing as \Recent.
func (m *Mailbox) Refresh(ctx context.Context) (*Snapshot, error) {
	if err := m.take(ctx); err != nil {
		return nil, err
	}
	defer func() { <-m.lock }()
	stale, err := m.stale()
	if err == nil && stale {
		err = m.locked(ctx, func() error { return m.catchUp(ctx) })
	}
	if err != nil {
		return nil, err
	}
	return m.Snapshot(), nil
}

// stale reports whether anything calls for a look. It costs three fstats.
func (m *Mailbox) stale() (bool, error) {
	if m.doubtful || m.hinted() {
		return true, nil
	}
	if grown, err := m.journal.Grown(); grown || err != nil {
		return true, err
	}
	if _, err := m.folder.Dir().StatSelf(); err != nil {
		return false, err
	}
	now, err := m.folder.Times()
	if err != nil {
		return false, err
	}
	return !m.times.NewKnown || !m.times.CurKnown || !now.New.Equal(m.times.New) || !now.Cur.Equal(m.times.Cur), nil
}

// catchUp takes in what happened to the files, by hint where the hints are all there
// is, else by reading. Both locks are held.
func (m *Mailbox) catchUp(ctx context.Context) error {
	covered := m.covered()
	if covered {
		m.c.Watch.Drained()
	}
	hints, overflow := m.takeHints()
	if overflow || !m.times.NewKnown || !m.times.CurKnown || m.doubtful {
		return m.reconcileFull(ctx)
	}
	if covered {
		if err := m.reconcileHints(hints); err != nil {
			m.setOverflow()
			return err
		}
		return m.settleTimes()
	}
	return m.reconcileFull(ctx)
}

func (m *Mailbox) covered() bool { return m.c.Watch != nil && m.c.Watch.Covers() }

// settleTimes takes the directories' present times as those of the snapshot, if the
// watch says that nothing is on its way.
func (m *Mailbox) settleTimes() error {
	now, err := m.folder.Times()
	if err != nil {
		return err
	}
	if m.c.Watch.Drained() && !m.hinted() && m.covered() {
		m.times = index.Times{FolderTimes: now, NewKnown: true, CurKnown: true}
	}
	return nil
}

// reconcileFull compares the directories with the snapshot. Both locks are held.
func (m *Mailbox) reconcileFull(ctx context.Context) error {
	m.takeHints()
	covered := m.covered()
	before, err := m.folder.Times()
	if err != nil {
		return err
	}
	r := newReading(m)
	if err := r.read(ctx); err != nil {
		m.setOverflow()
		return err
	}
	if err := r.confirm(ctx); err != nil {
		m.setOverflow()
		return err
	}
	if err := m.record(r.changes()); err != nil {
		m.setOverflow()
		return err
	}
	if covered {
		return m.settleTimes()
	}
	after, err := m.folder.Times()
	if err != nil {
		return err
	}
	old := m.now().Add(-youngest)
	m.times = index.Times{FolderTimes: after,
		NewKnown: after.New.Equal(before.New) && after.New.Before(old),
		CurKnown: after.Cur.Equal(before.Cur) && after.Cur.Before(old)}
	return nil
}

// reading is a comparison of the directories with a snapshot.
type reading struct {
	m       *Mailbox
	s       *Snapshot
	at      []seenFile                  // by index in s
	unknown map[string]mail.MessageFile // by base name
	doubled []mail.MessageFile          // files whose base name was met before under another name
}

// seenFile is what was met of a message.
type seenFile struct {
	met     bool
	changed bool
	file    mail.MessageFile // if changed
}

func newReading(m *Mailbox) *reading {
	s := m.Snapshot()
	return &reading{m: m, s: s, at: make([]seenFile, s.Len()), unknown: map[string]mail.MessageFile{}}
}

// read reads both directories once.
func (r *reading) read(ctx context.Context) error {
	n := 0
	return r.m.folder.Scan(true, true, func(f mail.MessageFile) bool {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return false
		}
		r.meet(f)
		return true
	})
}

func (r *reading) meet(f mail.MessageFile) {
	msg, ok := r.m.byBase(r.s, f.Base)
	if !ok {
		if old, twice := r.unknown[f.Base]; twice && (old.Name != f.Name || old.New != f.New) {
			r.doubled = append(r.doubled, f)
			if old.New && !f.New {
				return
			}
		}
		r.unknown[f.Base] = f
		return
	}
	i, _ := r.s.Find(msg.UID)
	same := msg.New == f.New && msg.Info == infoOf(f)
	switch seen := &r.at[i]; {
	case !seen.met:
		*seen = seenFile{met: true, changed: !same}
		if !same {
			seen.file = f
		}
	case same && seen.changed, !same && seen.changed && (seen.file.Name != f.Name || seen.file.New != f.New):
		r.doubled = append(r.doubled, f)
	case !same && !seen.changed:
		r.doubled = append(r.doubled, f)
	}
}

// confirm reads again for the messages that were not met.
func (r *reading) confirm(ctx context.Context) error {
	missing := r.missing()
	if len(missing) == 0 {
		return nil
	}
	again := newReading(r.m)
	if err := again.read(ctx); err != nil {
		return err
	}
	for _, i := range missing {
		if again.at[i].met {
			r.at[i] = again.at[i]
		}
	}
	for base, f := range again.unknown {
		if _, known := r.unknown[base]; !known {
			r.unknown[base] = f
		}
	}
	missing = r.missing()
	if len(missing) > maxFinds {
		return nil
	}
	for _, i := range missing {
		msg := r.s.Message(i)
		if f, err := r.m.current(&msg); err == nil {
			r.at[i] = seenFile{met: true, changed: true, file: f}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// missing are the indexes of the messages that were not met, but for those that a
// waiting hint names.
func (r *reading) missing() []int {
	hinted := r.m.hintedBases()
	var out []int
	for i := range r.at {
		if !r.at[i].met && !hinted[r.s.Message(i).Base] {
			out = append(out, i)
		}
	}
	return out
}

// changes are what the reading found.
func (r *reading) changes() changes {
	var c changes
	for i := range r.at {
		switch seen := &r.at[i]; {
		case !seen.met:
			c.gone.Add(r.s.UID(i))
		case seen.changed:
			c.moved = append(c.moved, movedFile{r.s.Message(i), seen.file})
		}
	}
	hinted := r.m.hintedBases()
	if len(hinted) > 0 { // what is on its way is not gone
		c.gone = nil
		for _, i := range r.missing() {
			c.gone.Add(r.s.UID(i))
		}
	}
	for _, f := range r.unknown {
		c.came = append(c.came, f)
	}
	c.doubled = r.doubled
	return c
}

// changes are what happened to files without our doing.
type changes struct {
	gone    mail.UIDSet
	moved   []movedFile
	came    []mail.MessageFile
	doubled []mail.MessageFile
}

// movedFile is a message whose file has another name now.
type movedFile struct {
	msg Message
	now mail.MessageFile
}

// record writes changes into the journal: names first, then what is gone, then what
// came, in the order in which UIDs are given.
func (m *Mailbox) record(c changes) error {
	for _, f := range c.doubled {
		if own, err := m.settleDouble(f); err != nil {
			return err
		} else if own.Name != "" {
			c.came = append(c.came, own)
		}
	}
	var seen, unseen []index.Record
	for _, mv := range c.moved {
		if mv.now.Flags == mv.msg.Flags {
			unseen = append(unseen, index.Renamed{UID: mv.msg.UID, New: mv.now.New, Info: infoOf(mv.now)})
		} else {
			seen = append(seen, index.FlagsSet{UID: mv.msg.UID, Flags: mv.now.Flags, New: mv.now.New, Info: infoOf(mv.now)})
		}
	}
	if len(c.gone) > 0 {
		seen = append(seen, index.Vanished{UIDs: c.gone})
	}
	slices.SortFunc(c.came, inOrder)
	next := m.Snapshot().uidNext
	saved := index.StampOf(m.now())
	for i, f := range c.came {
		seen = append(seen, index.Appended{Message: index.Message{
			UID: next + mail.UID(i), Flags: f.Flags, New: f.New, Size: f.Size, CRLFSize: f.CRLFSize,
			Saved: saved, Base: strings.Clone(f.Base), Info: strings.Clone(infoOf(f)),
		}})
	}
	switch {
	case len(seen) > 0:
		return m.tellAll(append(seen, unseen...))
	case len(unseen) > 0:
		return m.note(unseen...)
	}
	return nil
}

// batchLen bounds the records of one batch.
const batchLen = 50_000

func (m *Mailbox) tellAll(records []index.Record) error {
	for part := range slices.Chunk(records, batchLen) {
		if err := m.tell(part...); err != nil {
			return err
		}
	}
	return nil
}

// inOrder is the order in which new files get UIDs: by the number that their names
// begin with, then by bytes (Courier's order).
func inOrder(a, b mail.MessageFile) int {
	if c := cmp.Compare(leading(a.Base), leading(b.Base)); c != 0 {
		return c
	}
	return strings.Compare(a.Base, b.Base)
}

func leading(base string) (n uint64) {
	for i := 0; i < len(base) && base[i] >= '0' && base[i] <= '9' && n < 1<<58; i++ {
		n = n*10 + uint64(base[i]-'0')
	}
	return n
}

// settleDouble looks at a file whose base name was met under another name, too. If
// that was the same file, seen twice because of a rename, nothing is to be done; if
// it is another file it becomes a message of its own, under a fresh name.
func (m *Mailbox) settleDouble(f mail.MessageFile) (mail.MessageFile, error) {
	files, err := m.everyFile(f.Base)
	if err != nil || len(files) < 2 {
		return mail.MessageFile{}, err
	}
	first, err := m.folder.Stat(files[0])
	if err != nil {
		return mail.MessageFile{}, ignoreMissing(err)
	}
	for _, other := range files[1:] {
		st, err := m.folder.Stat(other)
		if err != nil {
			return mail.MessageFile{}, ignoreMissing(err)
		}
		if st.Ino == first.Ino {
			continue // a second link to one file: it is one message
		}
		return m.folder.Move(other, m.folder.Dir(), true)
	}
	return mail.MessageFile{}, nil
}

// everyFile is every file with a base name: that of the snapshot first.
func (m *Mailbox) everyFile(base string) ([]mail.MessageFile, error) {
	var files []mail.MessageFile
	known, ok := m.byBase(m.Snapshot(), base)
	err := m.folder.Scan(true, true, func(f mail.MessageFile) bool {
		if f.Base == base {
			if ok && f.New == known.New && infoOf(f) == known.Info {
				files = slices.Insert(files, 0, f)
			} else {
				files = append(files, f)
			}
		}
		return true
	})
	return files, err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// current looks for the file of a message that is not where the snapshot has it. It
// returns fs.ErrNotExist if there is none.
func (m *Mailbox) current(msg *Message) (mail.MessageFile, error) {
	files, err := m.folder.Find(msg.Base)
	if err != nil {
		return mail.MessageFile{}, err
	}
	if len(files) == 0 {
		return mail.MessageFile{}, fs.ErrNotExist
	}
	return files[len(files)-1], nil
}

// relocate brings one message up to date whose file was not found: renamed or gone.
func (m *Mailbox) relocate(msg *Message) error {
	f, err := m.current(msg)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m.record(changes{gone: mail.SetOf(msg.UID)})
	case err != nil:
		return err
	case f.New == msg.New && infoOf(f) == msg.Info:
		return nil
	}
	return m.record(changes{moved: []movedFile{{*msg, f}}})
}

package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"postrider/mail"
	"postrider/vfs"
)

// What makes a Maildir hard to read is that other programs rename its files all the
// time. A reading of a directory that overlaps renames misses files and shows others
// twice, and a directory's mtime has a grain. So:
//
//   - new is read before cur: a file moves from new to cur, and is then met twice
//     rather than not at all.
//   - A message is gone only if its base name was missing from two readings and no
//     hint named it in between, or if the watch saw it go.
//   - A base name that is met twice is one message if it is one file; else the second
//     file is another message, and gets a name of its own.
//   - An mtime proves something only as times.go says.

// sighting is a message file that was seen, with what a look at it told, if there
// was one.
type sighting struct {
	file   mail.MessageFile
	info   vfs.Info
	looked bool
}

// findings are what a reconcile learned: how the directory differs from a snapshot.
type findings struct {
	s     *Snapshot
	moved map[mail.UID]sighting // known messages under another name
	fresh map[string]sighting   // files that are no known message, by base name
	gone  mail.UIDSet           // messages whose absence is certain
	stale mail.UIDSet           // messages whose file is another one now: it is in fresh
}

func newFindings(s *Snapshot) *findings {
	return &findings{s: s, moved: map[mail.UID]sighting{}, fresh: map[string]sighting{}}
}

// Refresh looks at the directories' times and the journal's length, reconciles if
// they, or pending hints, call for it, and returns the newest snapshot. SELECT,
// EXAMINE, NOOP, CHECK, STATUS and the start of IDLE call it. It gives UIDs to new
// files but leaves them in new, and claims nothing as \Recent.
//
// Mail that cannot get a UID because the disk is full, or the journal may only be
// read, is not shown yet, and no error.
func (m *Mailbox) Refresh(ctx context.Context) (*Snapshot, error) {
	if err := m.take(ctx); err != nil {
		return nil, err
	}
	defer func() { <-m.lock }()
	quiet, err := m.quiet()
	if err == nil && !quiet {
		err = m.locked(ctx, func() error { return m.readStale(ctx) })
	}
	if errors.Is(err, fs.ErrNotExist) && m.departed() {
		err = ErrGone
	}
	if err != nil && !bearable(err) {
		return nil, err
	}
	return m.Snapshot(), nil
}

// bearable says that nothing can be written down, or no UID be given, which does not keep anybody from
// reading what is known.
func bearable(err error) bool {
	return errors.Is(err, ErrFull) || errors.Is(err, ErrReadOnly) || errors.Is(err, ErrBusy)
}

// quiet says that nothing calls for the file lock. It costs three fstats.
func (m *Mailbox) quiet() (bool, error) {
	m.hints.looked()
	m.dropEchoes()
	if m.doubtful.Load() || m.outdated.Load() || !m.hints.empty() {
		return false, nil
	}
	if grown, err := m.journal.Grown(); err != nil || grown {
		return false, err
	}
	if same, err := m.registerQuiet(); err != nil || !same {
		return false, nil
	}
	dirs, err := m.unread()
	return dirs == [2]bool{} && m.hints.empty(), err
}

// readStale reads the directories that may show something new.
func (m *Mailbox) readStale(ctx context.Context) error {
	dirs, err := m.unread()
	if err == nil && dirs != [2]bool{} {
		err = m.reconcile(ctx, dirs)
	}
	return err
}

// reconcile reads directories in full and brings the mailbox to what they show.
func (m *Mailbox) reconcile(ctx context.Context, dirs [2]bool) error {
	s := m.Snapshot()
	before, err := m.folder.Times()
	if err != nil {
		return fmt.Errorf("looking at the directories: %w", err)
	}
	began := m.now()
	if dirs[inCurDir] {
		m.allNames(s)
		defer m.forgetNames()
	}
	m.c.Counts.readings.Add(1)
	if dirs == [2]bool{true, true} {
		clear(m.twins) // they are found again
	}
	v := &survey{m: m, findings: newFindings(s), seen: make(bitmap, (s.Len()+63)/64)}
	err = m.folder.Scan(dirs[inNewDir], dirs[inCurDir], func(f mail.MessageFile) bool { v.take(f); return ctx.Err() == nil })
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("reading the directories: %w", err)
	}
	v.settleDoubled()
	unsure, err := v.secondReading(ctx, dirs)
	if err != nil {
		return fmt.Errorf("reading the directories: %w", err)
	}
	after, err := m.folder.Times()
	if err != nil {
		return fmt.Errorf("looking at the directories: %w", err)
	}
	if m.past != nil {
		err = m.takeOver(ctx, v.findings)
	} else {
		err = m.commit(ctx, v.findings)
	}
	if err != nil {
		return err
	}
	if dirs == [2]bool{true, true} {
		if err := m.forgetIntents(); err != nil {
			return err
		}
	}
	m.full, m.unproven = unsure, false
	m.noteReading(dirs, before, after, began)
	return nil
}

// survey is a reading of directories in progress.
type survey struct {
	m *Mailbox
	*findings
	seen     bitmap // by index in the snapshot
	restless bool   // no reading was quiet enough to prove an absence
	doubled  map[string][]mail.MessageFile
}

type bitmap []uint64

func (b bitmap) has(i int) bool { return b[i/64]>>(i%64)&1 != 0 }
func (b bitmap) set(i int)      { b[i/64] |= 1 << (i % 64) }

// take takes in one file name that a reading showed.
func (v *survey) take(f mail.MessageFile) {
	if list, ok := v.doubled[f.Base]; ok {
		v.doubled[f.Base] = append(list, f)
		return
	}
	uid, i, known := v.m.lookup(v.s, f.Base)
	if !known {
		if other, ok := v.fresh[f.Base]; ok {
			v.double(other.file, f)
			delete(v.fresh, f.Base)
			return
		}
		v.fresh[f.Base] = sighting{file: f}
		return
	}
	msg := v.s.Message(i)
	if v.seen.has(i) {
		other := msg.file()
		if at, ok := v.moved[uid]; ok {
			other = at.file
			delete(v.moved, uid)
		}
		v.double(other, f)
		return
	}
	v.seen.set(i)
	switch {
	case f.New != msg.New: // it moved, or is another file, and the reading may leave out the first
		v.double(msg.file(), f)
	case !sameName(msg, f):
		v.moved[uid] = sighting{file: f}
	}
}

func sameName(msg Message, f mail.MessageFile) bool {
	return f.New == msg.New && len(f.Name) == len(msg.Base)+len(msg.Info) && f.Name[len(msg.Base):] == msg.Info && f.Flags == msg.Flags
}

func (v *survey) double(a, b mail.MessageFile) {
	if a.Name == b.Name && a.New == b.New {
		v.restore(a)
		return // the reading showed one name twice
	}
	if v.doubled == nil {
		v.doubled = map[string][]mail.MessageFile{}
	}
	v.doubled[a.Base] = []mail.MessageFile{a, b}
}

// restore puts a file back that was taken out for nothing.
func (v *survey) restore(f mail.MessageFile) {
	if uid, i, ok := v.m.lookup(v.s, f.Base); !ok {
		v.fresh[f.Base] = sighting{file: f}
	} else if !sameName(v.s.Message(i), f) {
		v.moved[uid] = sighting{file: f}
	}
}

// settleDoubled looks at the files of base names that were seen twice.
func (v *survey) settleDoubled() {
	for base, files := range v.doubled {
		if !v.m.settle(v.findings, base, files) {
			if _, i, ok := v.m.lookup(v.s, base); ok {
				v.seen[i/64] &^= 1 << (i % 64) // no file was there on the second look
			}
		}
	}
}

// secondReading looks again for the messages that the first did not show: absence
// is never concluded from one look. A message that a hint named in between stays
// for now; unsure says that there is one.
func (v *survey) secondReading(ctx context.Context, dirs [2]bool) (unsure bool, err error) {
	missing := map[string]mail.UID{}
	for i, msg := range v.s.All(0) {
		if !v.seen.has(i) && dirs[dirIndex(msg.New)] {
			missing[msg.Base] = msg.UID
		}
	}
	if len(missing) == 0 {
		return false, nil
	}
	again, err := v.find(ctx, missing)
	if err != nil {
		return false, err
	}
	if again, err = v.lookOn(ctx, missing, again); err != nil {
		return false, err
	}
	// What the kernel has still to tell of the time of the readings counts, too.
	v.restless = v.restless || v.m.covered() && !v.m.c.Watch.Drained()
	named, lost := v.m.hints.names()
	for _, msg := range v.s.All(0) {
		uid, ok := missing[msg.Base]
		if !ok || uid != msg.UID {
			continue
		}
		switch files := again[msg.Base]; {
		case len(files) > 0 && v.m.settle(v.findings, msg.Base, files):
		case len(files) > 0 || lost || v.restless || v.m.isNamed(named, msg.Base):
			unsure = true
		default:
			v.gone.Add(uid)
		}
	}
	return unsure, nil
}

// settle looks at the files that may be the one of a base name, and takes in what
// is there; false if none is. Two names of one file are a rename, or a move by
// link, seen half-way. Of two different files one is a message of its own: it gets
// a base name of its own, and nothing is deleted.
func (m *Mailbox) settle(v *findings, base string, files []mail.MessageFile) bool {
	there := m.look(files)
	if len(there) == 0 {
		return false
	}
	uid, i, known := m.lookup(v.s, base)
	main := 0
	if known {
		main = v.choose(v.s.Message(i), i, there)
	}
	if ino := there[main].info.Ino; len(there) > 1 {
		for k, at := range there {
			switch {
			case k == main:
			case at.info.Ino != ino:
				m.separate(v, at)
			case there[main].file.New && !at.file.New: // the move to cur, half-way
				m.twins[base] = append(m.twins[base], there[main].file)
				main = k
			default:
				m.twins[base] = append(m.twins[base], at.file)
			}
		}
	}
	at := there[main]
	switch {
	case !known:
		v.fresh[base] = at
	case v.replaced(i, at):
		v.stale.Add(uid)
		v.fresh[base] = at
	case !sameName(v.s.Message(i), at.file):
		v.moved[uid] = at
	}
	return true
}

// look returns those of the files that are there, each name once.
func (m *Mailbox) look(files []mail.MessageFile) []sighting {
	var there []sighting
next:
	for _, f := range files {
		for _, at := range there {
			if at.file.Name == f.Name && at.file.New == f.New {
				continue next
			}
		}
		info, err := m.folder.Stat(f)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				m.full = true
			}
			continue
		}
		if info.Type == vfs.Regular {
			there = append(there, sighting{f, info, true})
		}
	}
	return there
}

// choose says which of several files is the known message's.
func (v *findings) choose(msg Message, i int, there []sighting) int {
	for k, at := range there {
		if at.file.New == msg.New && at.file.Name == msg.Base+msg.Info && !v.replaced(i, at) {
			return k
		}
	}
	for k, at := range there {
		if !v.replaced(i, at) {
			return k
		}
	}
	return 0
}

// replaced says that the file is not the message's: it has another size than the
// one that was looked up, or another inode.
func (v *findings) replaced(i int, at sighting) bool {
	c, j := v.s.tree().at(i)
	fa := c.cols().facts[j]
	if !at.looked || fa.file == 0 || fa.size() < 0 {
		return false
	}
	return fa.size() != at.info.Size || fa.file != provenIno && fa.file != fold(at.info.Ino)
}

// separate gives a file whose base name is another message's one of its own.
func (m *Mailbox) separate(v *findings, at sighting) {
	f, err := m.folder.Move(at.file, m.folder.Dir(), true)
	if err != nil {
		m.log.Warn("a file with the name of another message is not shown", "file", at.file.Name, "error", err)
		return
	}
	m.touched(at.file.New, true)
	v.fresh[f.Base] = sighting{f, at.info, at.looked}
}

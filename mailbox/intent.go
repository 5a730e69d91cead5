package mailbox

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"postrider/index"
	"postrider/mail"
)

// A MOVE renames files and then writes the journals. Should the process end in between,
// reconciling finds the files in their new folder, and they have all but their
// keywords, which only the old journal knows: it forgets them with the messages. So a
// MOVE of messages with keywords begins with a note in the destination's journal: which
// file, by its inode and length, has which keywords. Who comes next with the lock and
// finds such notes knows that the process that wrote them did not end its work.

// movingMark begins the names of the marks with these notes: a line a message.
const movingMark = "moving."

// intend notes the keywords of messages that are about to come from src. It returns the
// names of the marks, for recordMove to take back.
func (m *Mailbox) intend(src *Mailbox, uids []mail.UID) (names []string, err error) {
	var records []index.Record
	var value strings.Builder
	next := m.nextIntent()
	flush := func() {
		if value.Len() > 0 {
			names = append(names, movingMark+strconv.Itoa(next))
			records = append(records, index.Mark{Name: movingMark + strconv.Itoa(next), Value: value.String()})
			value.Reset()
			next++
		}
	}
	s := src.Snapshot()
	for _, uid := range uids {
		msg, ok := s.Lookup(uid)
		if !ok || msg.Keywords == 0 {
			continue
		}
		info, err := src.folder.Stat(msg.file())
		if err != nil {
			continue // it moved on, or the rename says what is wrong
		}
		line := fmt.Sprintf("%d %d %s\n", info.Ino, info.Size, strings.Join(s.KeywordsOf(msg), " "))
		if value.Len()+len(line) > index.MaxMarkValue {
			flush()
		}
		if len(line) <= index.MaxMarkValue {
			value.WriteString(line)
		}
	}
	if flush(); len(records) == 0 {
		return nil, nil
	}
	if err := m.note(records...); err != nil {
		return nil, err
	}
	return names, m.syncIntents()
}

// syncIntents brings the notes to the disk before a rename can get there.
func (m *Mailbox) syncIntents() error {
	m.sync.run.Lock()
	defer m.sync.run.Unlock()
	if err := m.journal.Sync(m.journal.Pos()); err != nil {
		m.doubt(err)
		return fmt.Errorf("syncing the journal: %w", ErrNotDurable)
	}
	return nil
}

// syncRenames brings the renames to the disk before a journal can say there that the
// messages are gone: if they were still in the old folder, nothing would know their
// keywords.
func syncRenames(src, dst *Mailbox, done []moved) error {
	if !src.c.Fsync {
		return nil
	}
	fromNew := slices.ContainsFunc(done, func(mv moved) bool { return mv.msg.New })
	fromCur := src != dst && slices.ContainsFunc(done, func(mv moved) bool { return !mv.msg.New })
	if err := errors.Join(dst.folder.Sync(false, true), src.folder.Sync(fromNew, fromCur)); err != nil {
		return fmt.Errorf("syncing what was moved: %w", err)
	}
	return nil
}

func (m *Mailbox) nextIntent() int {
	next := 0
	for _, name := range m.intents() {
		if n, err := strconv.Atoi(name[len(movingMark):]); err == nil {
			next = max(next, n+1)
		}
	}
	return next
}

// intents are the names of all such marks.
func (m *Mailbox) intents() (names []string) {
	for name := range m.side.marks {
		if strings.HasPrefix(name, movingMark) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// cleared are records that take marks back.
func cleared(names []string) (records []index.Record) {
	for _, name := range names {
		records = append(records, index.Mark{Name: name})
	}
	return records
}

// forgetIntents is for who has read both directories under the lock: what was on its
// way has come.
func (m *Mailbox) forgetIntents() error {
	if names := m.intents(); len(names) > 0 {
		return m.note(cleared(names)...)
	}
	return nil
}

// arrivals gives back their keywords to files that a MOVE left behind.
type arrivals struct {
	words    *words
	keywords map[string]string // by inode and length
	told     int               // of words' records
}

func (m *Mailbox) arrivals() *arrivals {
	a := &arrivals{words: newWords(m.Snapshot()), keywords: map[string]string{}}
	for _, name := range m.intents() {
		for line := range strings.Lines(m.side.marks[name]) {
			f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 3)
			if len(f) == 3 {
				a.keywords[f[0]+" "+f[1]] = f[2]
			}
		}
	}
	return a
}

// records are those for a file that was found, that of the message last.
func (a *arrivals) records(m *Mailbox, uid mail.UID, at sighting) []index.Record {
	if len(a.keywords) > 0 && !at.looked {
		if info, err := m.folder.Stat(at.file); err == nil {
			at.info, at.looked = info, true
		}
	}
	row := m.appendedRecord(uid, at)
	if names, ok := a.keywords[fmt.Sprintf("%d %d", at.info.Ino, at.info.Size)]; ok && at.looked {
		if set, err := a.words.set(strings.Fields(names)); err == nil {
			row.Keywords = set
		}
	}
	fresh := a.words.records()[a.told:]
	a.told += len(fresh)
	return append(slices.Clone(fresh), row)
}

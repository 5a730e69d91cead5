package mailbox

import (
	"errors"
	"fmt"
	"io/fs"

	"postrider/index"
	"postrider/mail"
	"postrider/vfs"
)

// The account remembers of each mailbox its UIDVALIDITY and a UIDNEXT and a
// mod-sequence that it has not gone beyond (Config.Note, Config.Floor). They are
// written ahead of need, so that one write does for thousands of messages, and before
// the journal's batch that comes near. So, whatever becomes of the index files:
//
//   - A journal that is older than the account's memory (a backup put in its place,
//     bytes under the same inode) does not know of the newest marks, since each batch
//     that follows a Note says so in the journal. Numbers then go on above the marks.
//   - A journal that is gone, with all that it could be put together from, leaves the
//     UIDVALIDITY. The messages get UIDs above the marks, so none has a UID that
//     another message had, which is all that RFC 3501 2.3.1.1 demands for the
//     UIDVALIDITY to stay: "a unique identifier ... MUST NOT refer to any other
//     message in the mailbox or any subsequent mailbox with the same name forever".
//     To a client the old messages are gone and new ones have come. A new UIDVALIDITY
//     would say the same less politely: clients throw everything away, and those that
//     synchronise (mbsync, offlineimap) stop and ask for a person.
//   - A journal that was in use when the machine stopped may have lost its end, on a
//     disk that lies about its cache or by a rollback of the whole file system. The
//     first batch of a life of the machine says in which (lifeMark), the close of the
//     mailbox takes it back; found in another life, numbers go on above the marks.
//   - A journal that was cut or exchanged in a way that nothing of this shows is found
//     out by its messages: files in cur that it does not know, at the first look,
//     get UIDs above the marks. Somebody else may have put them there, which then
//     costs a few thousand numbers of four thousand million.
//
// Marks of another UIDVALIDITY are of another mailbox that had the name, and count
// for nothing.

const (
	uidsAhead    = 4096
	modseqsAhead = 1 << 16

	// aheadMark is in the journal, with the marks that the account knew then.
	aheadMark = "ahead"

	// lifeMark is in the journal, with Config.Boot, while there are changes since
	// the mailbox was opened.
	lifeMark = "life"
)

func parseMarks(s string) (m Marks) {
	if _, err := fmt.Sscanf(s, "%d %d %d", &m.UIDValidity, &m.UIDNext, &m.ModSeq); err != nil {
		return Marks{}
	}
	return m
}

func formatMarks(m Marks) string {
	return fmt.Sprintf("%d %d %d", m.UIDValidity, m.UIDNext, m.ModSeq)
}

// floor asks for the account's marks.
func (m *Mailbox) floor() (Marks, error) {
	if m.c.Floor == nil {
		return Marks{}, nil
	}
	known, err := m.c.Floor()
	if err != nil {
		return known, fmt.Errorf("asking for the account's marks: %w", err)
	}
	return known, nil
}

// baptize returns the UIDVALIDITY of a mailbox whose index does not know it.
func (m *Mailbox) baptize(known Marks) (mail.UIDValidity, error) {
	if known.UIDValidity != 0 {
		m.log.Warn("the index of a mailbox is gone: its UIDVALIDITY stays, its messages get new UIDs")
		return known.UIDValidity, nil
	}
	v, err := m.c.Validity()
	if err != nil {
		return 0, fmt.Errorf("asking for a UIDVALIDITY: %w", err)
	}
	return v, nil
}

// behind says that the journal is older than the marks: it was restored.
func (m *Mailbox) behind(known Marks) bool {
	a := m.side.ahead
	if a.UIDValidity == known.UIDValidity && a.UIDNext >= known.UIDNext && a.ModSeq >= known.ModSeq {
		return false
	}
	s := m.Snapshot()
	if s.validity != known.UIDValidity || a == (Marks{}) && s.uidNext > known.UIDNext {
		return false
	}
	m.log.Warn("the journal is older than what the account knows: UIDs go on above")
	return true
}

// noteMarks has the account know of a mailbox that it does not know of, or not as far:
// one that was made before there were marks, that has another name to another process,
// or whose account file was lost.
func (m *Mailbox) noteMarks(known Marks) error {
	v, a := m.Snapshot().validity, m.side.ahead
	switch {
	case m.c.Note == nil || m.journal.ReadOnly() != nil:
		return nil
	case a.UIDValidity == v && known.UIDValidity == v && known.UIDNext >= a.UIDNext && known.ModSeq >= a.ModSeq:
		return nil
	case a.UIDValidity == v:
		if err := m.c.Note(a); err != nil {
			return fmt.Errorf("noting the mailbox's numbers: %w", noSpace(err))
		}
		return nil
	}
	var records []index.Record
	if t := m.side.times; t.NewKnown || t.CurKnown {
		records = append(records, t)
	}
	return m.note(records...)
}

// markAhead has the account know of the numbers that a batch gives, before it is
// written, and has the batch say so. A failure is none as long as the marks of
// before hold, nor where no message is given a UID: on a full disk flags can be set.
func (m *Mailbox) markAhead(b *index.Batch) error {
	if m.c.Note == nil || m.journal.ReadOnly() != nil {
		return nil
	}
	s := m.Snapshot()
	need, gives := Marks{UIDValidity: s.validity, UIDNext: s.uidNext, ModSeq: b.ModSeq}, false
	for _, r := range b.Records {
		switch r := r.(type) {
		case index.ValiditySet:
			need.UIDValidity, need.UIDNext = r.UIDValidity, max(need.UIDNext, r.UIDNext)
		case index.Appended:
			need.UIDNext, gives = max(need.UIDNext, min(r.UID, maxUID)+1), true
		}
	}
	a := m.side.ahead
	if a.UIDValidity == need.UIDValidity && roomy(uint64(a.UIDNext), uint64(need.UIDNext), uidsAhead, uint64(maxUID)+1) && roomy(uint64(a.ModSeq), uint64(need.ModSeq), modseqsAhead, 1<<63-1) {
		return nil
	}
	want := Marks{UIDValidity: need.UIDValidity, UIDNext: need.UIDNext + min(uidsAhead, maxUID+1-need.UIDNext), ModSeq: need.ModSeq + modseqsAhead}
	if err := m.c.Note(want); err != nil {
		if gives && (a.UIDValidity != need.UIDValidity || need.UIDNext > a.UIDNext) {
			return fmt.Errorf("noting the mailbox's numbers: %w", noSpace(err))
		}
		if !m.unnoted {
			m.log.Warn("the account's file cannot be written", "error", err)
		}
		m.unnoted = true
		return nil
	}
	m.unnoted = false
	b.Records = append(b.Records, index.Mark{Name: aheadMark, Value: formatMarks(want)})
	return nil
}

// markLifeOf has the first batch of changes say in which life of the machine it was
// written.
func (m *Mailbox) markLifeOf(b *index.Batch) {
	if m.c.Fsync && m.c.Boot != "" && b.ModSeq > m.Snapshot().modseq && m.side.marks[lifeMark] != m.c.Boot {
		b.Records = append(b.Records, index.Mark{Name: lifeMark, Value: m.c.Boot})
	}
}

// interrupted says that the machine stopped while the mailbox was in use.
func (m *Mailbox) interrupted() bool {
	life := m.side.marks[lifeMark]
	if life == "" || m.c.Boot == "" || life == m.c.Boot || m.epoch > 1 {
		return false
	}
	m.log.Info("the machine stopped while the mailbox was in use: UIDs go on above")
	return true
}

// prove goes on above the marks if the first look at the directories found files that
// a journal which was whole would know.
func (m *Mailbox) prove(v *findings) error {
	s, a := m.Snapshot(), m.side.ahead
	if !m.unproven || a.UIDValidity != s.validity {
		return nil
	}
	for _, at := range v.fresh {
		if !at.file.New {
			m.unproven = false
			m.log.Info("files in cur that the journal does not know: UIDs go on above")
			return m.write(max(s.modseq, a.ModSeq)+1, index.ValiditySet{UIDValidity: s.validity, UIDNext: max(s.uidNext, min(a.UIDNext, maxUID))})
		}
	}
	return nil
}

// roomy says that less than half of what was noted ahead is used up, or that nothing
// higher can be noted.
func roomy(mark, need, step, highest uint64) bool {
	return mark >= highest || mark >= need && mark-need >= step/2
}

// memory is what this process knows of the mailbox before it reads its files anew.
type memory struct {
	s          *Snapshot
	infos      *infos
	backing    *backing
	side       side
	generation uint64
}

func (m *Mailbox) memory() memory {
	if m.journal == nil || m.Snapshot() == nil {
		return memory{}
	}
	return memory{m.Snapshot(), m.infos, m.backing, m.side, m.journal.Generation()}
}

// ahead says that files that were read are not those that come after this state, but
// older ones or new: the journal was deleted, cut or replaced under a running server.
func (y *memory) ahead(h *head, generation uint64) bool {
	if y.s == nil || y.s.validity == 0 {
		return false
	}
	if h.validity != y.s.validity {
		return generation <= y.generation // else somebody set it, and made the journal anew
	}
	return h.uidNext < y.s.uidNext || h.modseq < y.s.modseq
}

// whole says that all messages are in memory, or can be read.
func (y *memory) whole() (ok bool) {
	defer func() {
		if _, lost := recovered(recover()); lost {
			ok = false
		}
	}()
	for _, c := range y.s.tree().chunks(0) {
		c.cols()
	}
	return true
}

// raise has a state that was read go on above the numbers in memory: those that are
// gone with what cannot be read come to no other message.
func (y *memory) raise(h *head) {
	if h.validity == y.s.validity || h.validity == 0 {
		h.uidNext, h.modseq = max(h.uidNext, y.s.uidNext), max(h.modseq, y.s.modseq)
	}
}

// remember goes on with the state in memory, in a new journal. It needs sync.run.
func (m *Mailbox) remember(y memory) error {
	m.log.Error("the journal of a mailbox was deleted or replaced: it is written anew from memory")
	if m.backing != y.backing {
		m.backing.close() // nothing of it was published
	}
	m.infos, m.backing, m.names, m.side = y.infos, y.backing, nil, y.side
	m.full = true
	known, err := m.floor()
	if err != nil {
		return err
	}
	b := newBuilder(y.s, m.infos)
	if known.UIDValidity == y.s.validity { // others may have given numbers in the files that are gone
		b.next.uidNext, b.next.modseq = max(b.next.uidNext, min(known.UIDNext, maxUID)), max(b.next.modseq, known.ModSeq)
	}
	return m.renewSyncLocked(b)
}

// heal writes a journal anew that has a hole: the numbers that went with it were jumped
// over, and must not be at every opening. It needs sync.run.
func (m *Mailbox) heal() error {
	why := m.journal.Damage()
	if why == nil || m.readOnly.Load() || m.Snapshot().validity == 0 {
		return nil
	}
	m.log.Error("a part of a journal cannot be read: it is written anew without", "error", why)
	doubtful := m.doubtful.Load()
	err := m.renewSyncLocked(newBuilder(m.Snapshot(), m.infos))
	if bearable(err) { // no space: the old one is of use, and is healed when it is opened next
		m.doubtful.Store(doubtful)
		return nil
	}
	return err
}

// indexDirReplaced says that the open index directory has not its name any more.
func (m *Mailbox) indexDirReplaced() bool {
	info, err := m.folder.Dir().Stat(indexDir)
	if err == nil {
		if _, ino := m.dir.Key(); info.Ino != ino {
			return true
		}
		var release func()
		if _, release, err = vfs.Hold(m.dir); err == nil { // the number alone may be of another, made while it rested
			release()
		}
	}
	return errors.Is(err, fs.ErrNotExist)
}

// renewIndex takes in what is left to read of the index files that were open, and
// goes on with those that are there now.
func (m *Mailbox) renewIndex() error {
	err := m.readTail()
	if err == nil && m.indexDirReplaced() { // else readTail found out and has done it
		err = m.reload(true)
	}
	return err
}

// reopenIndexDir opens the index directory again, and makes it if it is gone.
func (m *Mailbox) reopenIndexDir() error {
	if !m.indexDirReplaced() {
		return nil
	}
	d, err := m.openIndexDir()
	if err != nil {
		return fmt.Errorf("opening the mailbox's index: %w", err)
	}
	m.left, m.dir = append(m.left, m.dir), d // who reads the cache may still use it
	return nil
}

package mailbox

import (
	"context"
	"errors"
	"io/fs"

	"postrider/mail"
)

// maxHints bounds the hints that wait; more are an overflow.
const maxHints = 10_000

// Hint takes a hint. It is quick and does no I/O.
func (m *Mailbox) Hint(h Hint) {
	m.hintMu.Lock()
	switch {
	case h.Kind == HintGone:
		m.hintMu.Unlock()
		m.overflowAndSettle()
		return
	case h.Kind == HintOverflow || len(m.hints) >= maxHints:
		m.overflow, m.hints = true, nil
	case !m.overflow && h.Kind != HintJournal:
		m.hints = append(m.hints, h)
	}
	start := !m.settling && m.isWatched()
	m.settling = m.settling || start
	m.hintMu.Unlock()
	if start {
		go m.settle()
	}
}

func (m *Mailbox) overflowAndSettle() {
	m.setOverflow()
	m.wake()
}

// settle looks at the hints for the sessions that listen, until there are none. It
// is the only goroutine of a mailbox, and ends when there is nothing to look at.
func (m *Mailbox) settle() {
	for {
		_, err := m.Refresh(context.Background())
		if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrGone) {
			m.log.Error("reconciling a mailbox", "folder", m.folder.Dir().Path(), "error", err)
		}
		m.hintMu.Lock()
		if err != nil || len(m.hints) == 0 && !m.overflow {
			m.settling = false
			m.hintMu.Unlock()
			return
		}
		m.hintMu.Unlock()
	}
}

func (m *Mailbox) setOverflow() {
	m.hintMu.Lock()
	defer m.hintMu.Unlock()
	m.overflow, m.hints = true, nil
}

// hinted reports whether anything waits to be looked at.
func (m *Mailbox) hinted() bool {
	m.hintMu.Lock()
	defer m.hintMu.Unlock()
	return m.overflow || len(m.hints) > 0
}

func (m *Mailbox) takeHints() (hints []Hint, overflow bool) {
	m.hintMu.Lock()
	defer m.hintMu.Unlock()
	hints, overflow = m.hints, m.overflow
	m.hints, m.overflow = nil, false
	return hints, overflow
}

// hintedBases are the base names that waiting hints name.
func (m *Mailbox) hintedBases() map[string]bool {
	m.hintMu.Lock()
	defer m.hintMu.Unlock()
	var bases map[string]bool
	for _, h := range m.hints {
		for _, name := range []string{h.Name, h.OldName} {
			if f, ok := m.folder.Parse(name, h.InNew); name != "" && ok {
				if bases == nil {
					bases = map[string]bool{}
				}
				bases[f.Base] = true
			}
		}
	}
	return bases
}

// reconcileHints looks at the files that hints name, and no others.
func (m *Mailbox) reconcileHints(hints []Hint) error {
	if len(hints) == 0 {
		return nil
	}
	var c changes
	done := map[string]bool{}
	for _, h := range hints {
		for _, name := range []string{h.OldName, h.Name} {
			f, ok := m.folder.Parse(name, h.InNew)
			if name == "" || !ok || done[f.Base] {
				continue
			}
			done[f.Base] = true
			if err := m.lookAt(f.Base, h, &c); err != nil {
				return err
			}
		}
	}
	return m.record(c)
}

// lookAt finds out what became of one base name.
func (m *Mailbox) lookAt(base string, h Hint, c *changes) error {
	msg, known := m.byBase(m.Snapshot(), base)
	if known {
		st, err := m.folder.Stat(msg.file())
		if err == nil {
			return m.lookAtSame(&msg, st.Ino, c)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := m.named(base, h)
	if err != nil {
		return err
	}
	switch {
	case f.Name == "" && known:
		c.gone.Add(msg.UID)
		c.gone = c.gone.Resolve(0)
	case f.Name == "":
	case known:
		c.moved = append(c.moved, movedFile{msg, f})
	default:
		c.came = append(c.came, f)
	}
	return nil
}

// lookAtSame is for a file that lies where the snapshot has it. One that took the
// place of another under its name is a new message.
func (m *Mailbox) lookAtSame(msg *Message, ino uint64, c *changes) error {
	known := m.inode(msg.UID)
	if known == 0 || known == uint32(ino) {
		return nil
	}
	f := msg.file()
	c.gone.Add(msg.UID)
	c.gone = c.gone.Resolve(0)
	c.came = append(c.came, f)
	return nil
}

// inode is the low bits of the inode number of a message's file, 0 if not known.
func (m *Mailbox) inode(uid mail.UID) uint32 {
	s := m.Snapshot()
	k := s.chunkOf(uid)
	if k < 0 {
		return 0
	}
	i, ok := s.spine[k].c.find(uid)
	if !ok {
		return 0
	}
	return s.spine[k].c.facts[i].ino
}

// named finds the file with a base name, at the name that the hint says first; a
// file without a name is none.
func (m *Mailbox) named(base string, h Hint) (mail.MessageFile, error) {
	if f, ok := m.folder.Parse(h.Name, h.InNew); h.Kind != HintWent && ok && f.Base == base {
		if _, err := m.folder.Stat(f); err == nil {
			return f, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return mail.MessageFile{}, err
		}
	}
	files, err := m.folder.Find(base)
	if err != nil || len(files) == 0 {
		return mail.MessageFile{}, err
	}
	return files[len(files)-1], nil
}

package mailbox

import (
	"errors"
	"io/fs"
)

// departed finds out whether the folder is no longer there, removed or moved away by
// another program, and then says so to everybody who listens. Its messages are not told
// to be expunged: most that a removed folder had may live on elsewhere. The lock is held.
func (m *Mailbox) departed() bool {
	info, err := m.folder.Dir().StatSelf()
	if err == nil {
		_, err = m.folder.Times()
	}
	here := !errors.Is(err, fs.ErrNotExist) // as for one that rested, if it is not where it was
	if err == nil {
		here = info.Nlink > 0
	}
	if here && m.c.Here != nil {
		here = m.c.Here()
	}
	if !here {
		m.log.Info("the folder was removed by another program")
		m.SetGone()
	}
	return !here
}

// Attended reports whether changes by others come as hints, pushed or polled, so that
// nobody needs to look for them.
func (m *Mailbox) Attended() bool { return m.c.Watch != nil }

func (m *Mailbox) newJournal() {
	if m.c.NewJournal != nil {
		m.c.NewJournal()
	}
}

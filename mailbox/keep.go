package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"postrider/index"
)

// keeper writes the register some time after a change. There is a timer only while
// something is to be written.
type keeper struct {
	timer *time.Timer
	ended bool // no timer starts any more
	wait  sync.WaitGroup
}

// registerDue says that the register does not show the newest state.
func (m *Mailbox) registerDue() bool {
	if m.c.Register == nil || m.c.RegisterMode == RegisterOff {
		return false
	}
	mark, known := m.registerMark()
	return known && m.side.listed > mark.modseq
}

// keepLater has the register written if it is due. It is called after each publish.
func (m *Mailbox) keepLater() {
	k := &m.reg.keeper
	if k.timer != nil || k.ended || m.loading || !m.registerDue() {
		return
	}
	k.wait.Add(1)
	k.timer = time.AfterFunc(keepAfter, m.keepNow)
}

// keepNow is the end of a timer.
func (m *Mailbox) keepNow() {
	k := &m.reg.keeper
	defer k.wait.Done()
	defer func() {
		if p := recover(); p != nil {
			m.doubtful.Store(true)
			m.log.Error("panic while writing the register", "panic", p)
		}
	}()
	err := m.keepRegister(context.Background(), false)
	if errors.Is(err, ErrClosed) || errors.Is(err, ErrGone) {
		return
	}
	if err != nil && !errors.Is(err, errOvertaken) {
		m.log.Warn("the register is written later", "error", err)
	}
	m.lock <- struct{}{}
	defer func() { <-m.lock }()
	if k.timer = nil; !m.closed {
		m.keepLater()
	}
}

// endKeeping stops the timer, and waits for what it began.
func (m *Mailbox) endKeeping() {
	k := &m.reg.keeper
	m.lock <- struct{}{}
	k.ended = true
	if k.timer != nil && k.timer.Stop() {
		k.wait.Done()
	}
	k.timer = nil
	<-m.lock
	k.wait.Wait()
}

// keepRegister brings the register up to date, from a snapshot and without the
// mailbox's locks while it is written. create also makes one that is not there.
func (m *Mailbox) keepRegister(ctx context.Context, create bool) error {
	if m.c.Register == nil {
		return nil
	}
	unlock, err := m.c.Register.LockWriting(ctx)
	if err != nil {
		return fmt.Errorf("writing the register: %w", err)
	}
	defer unlock()
	var s *Snapshot
	var before registerMark
	var live bool
	err = m.change(ctx, func() error {
		if err := m.endLive(); err != nil {
			return err
		}
		if create || m.registerDue() {
			s = m.Snapshot()
		}
		before, _ = m.registerMark()
		live = m.live()
		return nil
	})
	if err == nil && s != nil {
		err = m.Durable(ctx, s)
	}
	if s == nil || err != nil {
		return err
	}
	staged, err := m.c.Register.Stage(s.validity, s.uidNext, s.bases())
	if err != nil {
		return fmt.Errorf("writing the register: %w", noSpace(err))
	}
	if err := m.keepKeywords(s, live); err != nil {
		return errors.Join(fmt.Errorf("writing the register: %w", noSpace(err)), staged.Abort())
	}
	return m.change(ctx, func() error { return m.placeKept(ctx, staged, s, before, create) })
}

// keepKeywords writes the sets of a snapshot. Where both servers run they are written
// already, and the register may be newer than the snapshot.
func (m *Mailbox) keepKeywords(s *Snapshot, live bool) error {
	theirs, err := m.c.Register.Keywords()
	if err != nil {
		return err
	}
	sets := s.keywordSets(theirs)
	if live {
		return m.c.Register.TidyKeywords(sets)
	}
	return m.c.Register.StoreKeywords(sets)
}

// errOvertaken says that the register was written by somebody else meanwhile.
var errOvertaken = errors.New("the register was written meanwhile")

// placeKept puts a list in place that was staged without the locks.
func (m *Mailbox) placeKept(ctx context.Context, staged StagedRegister, s *Snapshot, before registerMark, create bool) error {
	unlock, err := m.lockRegister(ctx, glimpse)
	if err != nil {
		return errors.Join(err, staged.Abort())
	}
	defer unlock()
	stamp, err := m.c.Register.Stamp()
	now, known := m.registerMark()
	switch {
	case err != nil:
	case now.list != before.list || now.next != before.next, stamp != "" && known && !now.is(stamp), stamp == "" && !create:
		err = errOvertaken
	}
	if err != nil {
		return errors.Join(err, staged.Abort())
	}
	if stamp != "" && stamp == m.reg.refused {
		if err := m.c.Register.Forget(); err != nil {
			return errors.Join(err, staged.Abort())
		}
	}
	m.reg.refused = ""
	return m.placeRegister(staged, s.modseq)
}

// endLive ends the time in which both servers are taken to run.
func (m *Mailbox) endLive() error {
	if _, seen := m.liveSince(); !seen || m.live() {
		return nil
	}
	m.log.Info("no other server wrote its list of UIDs for a day: it is only followed again")
	return m.note(index.Mark{Name: liveMarkName})
}

// keepAtEnd writes the register before the mailbox is closed. What cannot be written
// now is after the next opening.
func (m *Mailbox) keepAtEnd() {
	if !m.registerCalls() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closePause)
	defer cancel()
	if err := m.keepRegister(ctx, false); err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrGone) && !bearable(err) {
		m.log.Warn("the register is written later", "error", err)
	}
}

// registerCalls says that there is something to write about the register.
func (m *Mailbox) registerCalls() bool {
	m.lock <- struct{}{}
	defer func() { <-m.lock }()
	_, seen := m.liveSince()
	return m.registerDue() || seen
}

// ExportRegister writes the register as of now, and makes it if it is not there, so that
// the other server can take the folder over. It is kept current from then on, unless
// that is turned off.
func (m *Mailbox) ExportRegister(ctx context.Context) error {
	if m.c.Register == nil {
		return fmt.Errorf("writing the register: %w", fs.ErrInvalid)
	}
	s, err := m.Refresh(ctx)
	if err != nil {
		return err
	}
	if err := m.Durable(ctx, s); err != nil {
		return err
	}
	for {
		err := m.keepRegister(ctx, true)
		if !errors.Is(err, errOvertaken) || ctx.Err() != nil {
			return err
		}
	}
}

// ForgetRegister puts the register aside and keeps it no longer. The other server, if
// it is started again, gives all messages new UIDs.
func (m *Mailbox) ForgetRegister(ctx context.Context) error {
	if m.c.Register == nil {
		return nil
	}
	return m.change(ctx, func() error {
		unlock, err := m.lockRegister(ctx, patience)
		if err != nil {
			return err
		}
		defer unlock()
		if err := m.c.Register.Forget(); err != nil {
			return err
		}
		return m.note(index.Mark{Name: registerMarkName}, index.Mark{Name: liveMarkName})
	})
}

// keptMark is the mark of a register that shows the newest state although the
// mod-sequence went on: so that the next opening need not write it.
func (m *Mailbox) keptMark() []index.Record {
	mark, known := m.registerMark()
	if m.c.Register == nil || !known || m.registerDue() || mark.modseq >= m.Snapshot().modseq {
		return nil
	}
	mark.modseq = m.Snapshot().modseq
	return []index.Record{mark.record()}
}

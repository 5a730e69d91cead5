package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strconv"
	"strings"
	"time"

	"postrider/index"
	"postrider/mail"
)

// Another server that serves the same folder keeps its own list of UIDs in it, and its
// own keywords: the register. It is kept so that the other server can be started again
// and finds what it would have written itself.
//
// Follow: the other server is not running. The register is written from a snapshot, at
// most keepAfter after a change and when the mailbox is closed, and no command waits
// for that. The journal remembers what the files looked like when they were written
// (registerMark). If they look otherwise, somebody else wrote them: the other server
// runs after all, and the folder is live from then on, until liveFor has passed without
// another such write.
//
// Live: both serve the folder. Whoever gives a UID holds the other server's lock, has
// read what it wrote, and writes the list before he tells anybody (number). A message
// that the other server gave a UID keeps it. Where both gave one, to one message or to
// two, each such message gets a fresh one above both: no UID ever means two messages.
// Keywords are written in the step that changes them, and the other server's are taken
// over when its files changed.

// Register is what a mailbox needs of the other server's files. Package maildir has
// them. It is safe for concurrent use.
type Register interface {
	// Lock takes the other server's lock of the folder. The caller holds the lock
	// of the folder's directory.
	Lock(ctx context.Context) (unlock func(), err error)

	// LockWriting keeps other processes of ours from writing the files from a
	// snapshot. It comes before all other locks.
	LockWriting(ctx context.Context) (unlock func(), err error)

	// Read returns the list in ascending order, no UID and no base name twice.
	// fs.ErrNotExist: there is none. ErrRegister: it cannot be understood.
	Read() (v mail.UIDValidity, next mail.UID, list iter.Seq2[mail.UID, string], err error)

	// Stamp tells the list of this moment from every other; "" if there is none.
	Stamp() (string, error)

	// Stage writes a list that Publish puts in place.
	Stage(v mail.UIDValidity, next mail.UID, list iter.Seq2[mail.UID, string]) (StagedRegister, error)

	// Forget puts the list aside.
	Forget() error

	// Keywords returns the sets of the messages that have any, by base name.
	Keywords() (map[string][]string, error)

	// KeywordsStamp tells the state of the keywords from others, and when it came
	// to be; "" if there are none. Changes in one grain of time look the same.
	KeywordsStamp() (stamp string, at time.Time, err error)

	// WriteKeywords writes one message's set. Durable on return.
	WriteKeywords(base string, words []string) error

	// StoreKeywords writes the sets of all messages: one that is not in sets has
	// no keywords, or is not there. Durable on return.
	StoreKeywords(sets map[string][]string) error

	// TidyKeywords changes no set of the messages in sets, and removes what nobody
	// needs any longer.
	TidyKeywords(sets map[string][]string) error
}

// StagedRegister is a list that is written but not in its place.
type StagedRegister interface {
	Stamp() string  // what Register.Stamp returns after Publish
	Publish() error // durable on return
	Abort() error
}

// RegisterMode says how a register is kept. It is not made where there is none.
type RegisterMode uint8

// The modes.
const (
	RegisterOff    RegisterMode = iota // only ExportRegister writes it
	RegisterFollow                     // some time after a change
	RegisterLive                       // at once: the other server runs
)

const (
	keepAfter  = 60 * time.Second       // from a change until the register shows it
	liveFor    = 24 * time.Hour         // from the last foreign write until we only follow
	liveNoted  = time.Hour              // how exactly that is remembered
	glimpse    = 200 * time.Millisecond // for the other server's lock, where it is no matter
	patience   = 30 * time.Second       // for the other server's lock, to give a UID
	slowLock   = 5 * time.Second        // until waiting is worth a line in the log
	closePause = 2 * time.Second        // for the other server's lock, while closing
)

// Marks in the journal.
const (
	registerMarkName = "register"
	liveMarkName     = "register-live" // when somebody else wrote the register last
)

// registerMark is what the journal remembers of the register. A list that looks like
// one of the two is ours: the second is noted before it is put in place.
type registerMark struct {
	modseq     mail.ModSeq // the register shows the mailbox as of this
	list, next string      // stamps
	keywords   string
}

// noStamp stands for "" in a mark.
const noStamp = "-"

func (r registerMark) record() index.Mark {
	word := func(s string) string {
		if s == "" {
			return noStamp
		}
		return s
	}
	return index.Mark{Name: registerMarkName, Value: fmt.Sprintf("%d %s %s %s", r.modseq, word(r.list), word(r.next), word(r.keywords))}
}

// parseRegisterMark returns false if the register was never seen, or forgotten.
func parseRegisterMark(s string) (r registerMark, ok bool) {
	words := strings.Fields(s)
	if len(words) != 4 {
		return r, false
	}
	n, err := strconv.ParseUint(words[0], 10, 63)
	for i, to := range []*string{&r.list, &r.next, &r.keywords} {
		if *to = words[i+1]; *to == noStamp {
			*to = ""
		}
	}
	r.modseq = mail.ModSeq(n)
	return r, err == nil
}

func (m *Mailbox) registerMark() (registerMark, bool) {
	return parseRegisterMark(m.side.marks[registerMarkName])
}

// is reports whether a list that looks like this is ours.
func (r registerMark) is(stamp string) bool {
	return stamp != "" && (stamp == r.list || stamp == r.next)
}

// registerState is what this process knows of the register. The mailbox's lock guards
// it.
type registerState struct {
	held    bool   // we have the other server's lock
	taking  bool   // what is written comes from the register
	reread  bool   // the list may be another than the mark says
	refused string // the stamp of a list that is left alone
	trouble string // what was said last about a register that cannot be used
	words   string // the stamp of the keywords that were taken in
	firm    bool   // nothing can hide behind words
	keeper  keeper
}

// live says that the other server runs.
func (m *Mailbox) live() bool {
	if m.c.Register == nil || m.c.RegisterMode == RegisterOff {
		return false
	}
	at, seen := m.liveSince()
	return m.c.RegisterMode == RegisterLive || seen && m.now().Sub(at) < liveFor
}

// liveSince is when somebody else wrote the register last, as far as that is noted.
func (m *Mailbox) liveSince() (time.Time, bool) {
	value := m.side.marks[liveMarkName]
	if value == "" {
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(value, 10, 64)
	return time.Unix(n, 0), err == nil
}

// registerLook is what a look at the register says.
type registerLook uint8

const (
	registerNone    registerLook = iota // there is none, or it is left alone
	registerOurs                        // as we wrote it
	registerForeign                     // somebody else wrote it
	registerFirst                       // it is seen for the first time
	registerWords                       // the keywords may have changed
	registerLost                        // it was there
)

// lookAtRegister costs two stats.
func (m *Mailbox) lookAtRegister() (registerLook, error) {
	if m.c.Register == nil || m.c.RegisterMode == RegisterOff {
		return registerNone, nil
	}
	stamp, err := m.c.Register.Stamp()
	if err != nil {
		return registerNone, err
	}
	mark, known := m.registerMark()
	switch {
	case stamp == "" && known:
		return registerLost, nil
	case stamp == "" || stamp == m.reg.refused:
		return registerNone, nil
	case !known:
		return registerFirst, nil
	case !mark.is(stamp) || m.reg.reread:
		return registerForeign, nil
	}
	words, _, err := m.c.Register.KeywordsStamp()
	switch {
	case err != nil:
		return registerNone, err
	case m.live() && (!m.reg.firm || words != m.reg.words):
		return registerWords, nil
	case !m.live() && words != mark.keywords:
		return registerForeign, nil
	}
	return registerOurs, nil
}

// registerQuiet says that nothing about the register calls for the file lock.
func (m *Mailbox) registerQuiet() (bool, error) {
	look, err := m.lookAtRegister()
	return look == registerOurs || look == registerNone, err
}

// meetRegister takes in what somebody else wrote into the register. The other server's
// lock is waited for for a moment only: what is not taken in now is at the next look.
// No trouble with the register keeps anybody from the mailbox.
func (m *Mailbox) meetRegister(ctx context.Context) error {
	look, err := m.lookAtRegister()
	if err == nil {
		switch look {
		case registerLost:
			m.log.Warn("the other server's list of UIDs was removed; it is no longer kept")
			err = m.note(index.Mark{Name: registerMarkName})
		case registerFirst, registerForeign:
			err = m.giveWithin(ctx, glimpse, func() error { return nil })
		case registerWords:
			err = m.takeKeywords(m.keywordRule())
		}
	}
	m.keepLater()
	switch {
	case err == nil, errors.Is(err, ErrBusy):
		m.reg.trouble = ""
	case m.doubtful.Load(), ctx.Err() != nil:
		return err
	case m.reg.trouble != err.Error():
		m.reg.trouble = err.Error()
		m.log.Warn("the register cannot be used", "error", err)
	}
	return nil
}

// lockRegister takes the other server's lock, and says so if that takes long. ErrBusy:
// it was not to be had so soon.
func (m *Mailbox) lockRegister(ctx context.Context, within time.Duration) (func(), error) {
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	slow := time.AfterFunc(slowLock, func() {
		m.log.Warn("waiting for the other server's lock")
	})
	defer slow.Stop()
	unlock, err := m.c.Register.Lock(bounded)
	switch {
	case err == nil:
		m.reg.held = true
		return func() { m.reg.held = false; unlock() }, nil
	case bounded.Err() != nil && ctx.Err() == nil:
		return nil, fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return nil, noSpace(err)
}

// missing reports whether an error says that there is no register.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

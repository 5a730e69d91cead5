package index

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"postrider/mail"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// script is what a mailbox does to its journal in a life: batches, fsyncs, a
// snapshot, compactions. told is called with the state that was durable.
func script(j *Journal, m *model, told func(*model)) error {
	uid := mail.UID(0)
	step := func(sync bool, records ...Record) error {
		b := Batch{ModSeq: m.modseq + 1, At: 5, Records: records}
		end, err := j.Append(&b)
		if err != nil {
			return err
		}
		m.apply(&b)
		if !sync {
			return nil
		}
		if err := j.Sync(end); err != nil {
			return err
		}
		told(m)
		return nil
	}
	for round := range 4 {
		for k := range 3 {
			uid++
			records := []Record{Appended{message(uid)}}
			if uid == 1 {
				records = append([]Record{ValiditySet{7, 1}}, records...)
			}
			if err := step(k != 1, records...); err != nil {
				return err
			}
		}
		if err := step(true, FlagsSet{uid, mail.Deleted, false, ":2,T"}, Vanished{UIDs: mail.SetOf(uid - 1)}); err != nil {
			return err
		}
		var err error
		if round%2 == 0 {
			err = j.WriteSnapshot(m.modseq, m.head(), m.rows)
		} else {
			if err = m.compact(j); err == nil {
				told(m)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// clone copies a model.
func (m *model) clone() *model {
	c := newModel()
	c.apply(&Batch{ModSeq: m.modseq, Records: m.head()})
	for x := range m.rows {
		c.messages[x.UID] = *x
	}
	return c
}

// covers says what the state got lacks of what was told to somebody.
func covers(told, got *model) error {
	if told.validity != 0 && got.validity != told.validity || got.next < told.next || got.modseq < told.modseq {
		return fmt.Errorf("UIDVALIDITY %d UIDNEXT %d mod-sequence %d, told was %d %d %d", got.validity, got.next, got.modseq, told.validity, told.next, told.modseq)
	}
	for uid, want := range told.messages {
		have, ok := got.messages[uid]
		if gone := got.gone[mail.Range[mail.UID]{First: uid, Last: uid}]; !ok && gone == 0 {
			return fmt.Errorf("UID %d is lost", uid)
		}
		if ok && have.ModSeq == want.ModSeq && have != want {
			return fmt.Errorf("UID %d is %+v, told was %+v", uid, have, want)
		}
	}
	for g := range told.gone {
		if _, there := got.messages[g.First]; there {
			return fmt.Errorf("UID %d is back", g.First)
		}
	}
	return nil
}

// What was told after an fsync is there after a power loss at any operation,
// whatever of the rest survived.
func TestPowerLossAtEveryOperation(t *testing.T) {
	total := 0
	for stop := 1; ; stop++ {
		inner := memfs.New(memfs.Options{})
		var states []*memfs.FS
		n := 0
		rng := rand.New(rand.NewPCG(uint64(stop), 1))
		halted := errors.New("the power is gone")
		fs := faultfs.Wrap(inner, func(faultfs.Op) error {
			if n++; n < stop {
				return nil
			}
			if n == stop {
				for k := range 6 {
					states = append(states, inner.CrashClone(func(string) bool { return k == 0 || k > 1 && rng.IntN(2) == 0 }))
				}
			}
			return halted
		})
		if err := inner.MkdirAll("/m", 0o700); err != nil {
			t.Fatal(err)
		}
		settle(t, inner)
		promise := newModel()
		err := func() error {
			d, err := fs.OpenDir("/m")
			if err != nil {
				return err
			}
			j, _, err := Open(d, Options{Now: clock, Fsync: true})
			if err != nil {
				return err
			}
			return script(j, newModel(), func(m *model) { promise = m.clone() })
		}()
		if len(states) == 0 {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		total++
		for k, s := range states {
			_, got, found := load(t, testDir(t, s))
			if found.Moved {
				t.Errorf("operation %d, state %d: the journal was lost: %+v", stop, k, found)
			}
			if err := covers(promise, got); err != nil {
				t.Errorf("operation %d, state %d: %v", stop, k, err)
			}
		}
	}
	if total < 50 {
		t.Errorf("only %d operations", total)
	}
}

// settle makes the directory of the test durable.
func settle(t *testing.T, fs *memfs.FS) {
	t.Helper()
	root, err := fs.OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Sync(); err != nil {
		t.Fatal(err)
	}
}

// An operation that fails costs at most what was not told, and the next opening
// goes on from there.
func TestEveryOperationFails(t *testing.T) {
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC, syscall.EDQUOT} {
		for n := 1; ; n++ {
			inner := memfs.New(memfs.Options{})
			testDir(t, inner)
			hit := false
			once := faultfs.Nth(n, nil, fault)
			fs := faultfs.Wrap(inner, func(op faultfs.Op) error {
				err := once(op)
				hit = hit || err != nil
				return err
			})
			promise := newModel()
			var err error
			if d, e := fs.OpenDir("/m"); e == nil {
				var j *Journal
				if j, _, err = Open(d, Options{Now: clock, Fsync: true}); err == nil {
					err = script(j, newModel(), func(m *model) { promise = m.clone() })
					j.Close()
				}
			}
			if !hit {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			_, got, found := load(t, testDir(t, inner))
			if found.Moved {
				t.Errorf("%v at %d: the journal was lost: %+v", fault, n, found)
			}
			if err := covers(promise, got); err != nil {
				t.Errorf("%v at %d: %v", fault, n, err)
			}
		}
	}
}

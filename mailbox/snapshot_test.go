package mailbox

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"postrider/index"
	"postrider/mail"
)

func row(uid mail.UID) index.Message {
	return index.Message{
		UID: uid, Size: int64(uid), CRLFSize: int64(uid) + 7, Internal: 1_700_000_000, Saved: 1_700_000_001,
		Base: fmt.Sprintf("1795384139.M%dP20999.host,S=2900,W=2990", uid), Info: ":2,",
	}
}

// filled is a snapshot of n messages with the UIDs from 1 on.
func filled(n int) (*Snapshot, *infos) { return shaped(n, usual()) }

func shaped(n int, is shape) (*Snapshot, *infos) {
	t := newInfos()
	b := newBuilder(emptySnapshot(is), t)
	for i := range n {
		m := row(mail.UID(i + 1))
		m.ModSeq = 1
		b.add(&m)
	}
	b.next.uidNext, b.next.modseq = mail.UID(n+1), 1
	return b.finish(), t
}

// compare says how a snapshot differs from the rows that it should have.
func compare(s *Snapshot, want map[mail.UID]index.Message) error {
	uids := slices.Sorted(maps.Keys(want))
	if s.Len() != len(uids) {
		return fmt.Errorf("%d messages, not %d", s.Len(), len(uids))
	}
	unseen, deleted, size, first := 0, 0, int64(0), -1
	for i, uid := range uids {
		w, m := want[uid], s.Message(i)
		if m.UID != uid || m.Flags != w.Flags || m.ModSeq != w.ModSeq || m.Base != w.Base || m.Info != w.Info || m.New != w.New || m.Size != w.Size || m.CRLFSize != w.CRLFSize || m.Keywords != w.Keywords {
			return fmt.Errorf("at %d: %+v, not %+v", i, m, w)
		}
		if at, ok := s.Find(uid); !ok || at != i || s.UID(i) != uid {
			return fmt.Errorf("UID %d is found at %d, not %d", uid, at, i)
		}
		if !w.Flags.Has(mail.Seen) {
			if unseen++; first < 0 {
				first = i
			}
		}
		if w.Flags.Has(mail.Deleted) {
			deleted++
		}
		size += w.Size
	}
	if got, _ := s.Size(); s.Unseen() != unseen || s.Deleted() != deleted || s.FirstUnseen() != first || got != size {
		return fmt.Errorf("counters %d %d %d %d, not %d %d %d %d", s.Unseen(), s.Deleted(), s.FirstUnseen(), got, unseen, deleted, first, size)
	}
	n := 0
	for i, m := range s.All(0) {
		if i != n || m.UID != uids[i] {
			return fmt.Errorf("All yields UID %d at %d", m.UID, i)
		}
		n++
	}
	return nil
}

// diffOf is the difference of two states, the slow way.
func diffOf(old, now map[mail.UID]index.Message) map[mail.UID]ChangeKind {
	d := map[mail.UID]ChangeKind{}
	for uid, a := range old {
		if b, ok := now[uid]; !ok {
			d[uid] = Vanished
		} else if a.ModSeq != b.ModSeq {
			d[uid] = FlagsChanged
		}
	}
	for uid := range now {
		if _, ok := old[uid]; !ok {
			d[uid] = Appeared
		}
	}
	return d
}

// Random changes give the snapshots and differences that the slow way gives, and old
// snapshots stay what they were.
func TestSnapshotAgainstMap(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 3))
		s, infos := shaped(0, []shape{usual(), {7, 3}, {16, 8}}[seed%3])
		want := map[mail.UID]index.Message{}
		type past struct {
			s    *Snapshot
			want map[mail.UID]index.Message
		}
		history := []past{{s, maps.Clone(want)}}
		next := mail.UID(1)
		for modseq := mail.ModSeq(2); modseq < 60; modseq++ {
			b := newBuilder(s, infos)
			for range r.IntN(4) {
				switch r.IntN(4) {
				case 0, 1:
					for range r.IntN(400) {
						m := row(next)
						m.ModSeq, m.Flags = modseq, mail.Flags(r.IntN(32))
						b.add(&m)
						want[next] = m
						next++
					}
				case 2:
					first := mail.UID(r.IntN(int(next)) + 1)
					last := first + mail.UID(r.IntN(1+r.IntN(300)))
					b.remove(first, last)
					for u := first; u <= last; u++ {
						delete(want, u)
					}
				default:
					for range r.IntN(20) {
						uid := mail.UID(r.IntN(int(next)) + 1)
						if st := b.state(uid); st != nil {
							m := want[uid]
							m.Flags, m.Info, m.New, m.ModSeq = mail.Flags(r.IntN(32)), fmt.Sprintf(":2,%d", r.IntN(9)), r.IntN(2) == 0, modseq
							st.flags, st.info, st.modseq = stateFlags(m.Flags, m.New), infos.id(m.Info), modseq
							want[uid] = m
						} else if _, ok := want[uid]; ok {
							t.Fatalf("seed %d: UID %d is not found", seed, uid)
						}
					}
					if uid := mail.UID(r.IntN(int(next)) + 1); len(want) > 0 { // a journal that is read twice
						m, ok := want[uid]
						if !ok {
							m = row(uid)
						}
						m.ModSeq = modseq
						b.seal()
						if !ok && uid >= next {
							continue
						}
						b.insert(&m)
						want[uid] = m
					}
				}
			}
			s = b.finish()
			if err := compare(s, want); err != nil {
				t.Fatalf("seed %d, modseq %d: %v", seed, modseq, err)
			}
			history = append(history, past{s, maps.Clone(want)})
			old := history[r.IntN(len(history))]
			if err := compare(old.s, old.want); err != nil {
				t.Fatalf("seed %d: an old snapshot changed: %v", seed, err)
			}
			got, last := map[mail.UID]ChangeKind{}, mail.UID(0)
			for c := range Diff(old.s, s) {
				if c.UID <= last {
					t.Fatalf("seed %d: the difference yields %d after %d", seed, c.UID, last)
				}
				got[c.UID], last = c.Kind, c.UID
			}
			if !maps.Equal(got, diffOf(old.want, want)) {
				t.Fatalf("seed %d: difference %v, not %v", seed, got, diffOf(old.want, want))
			}
		}
	}
}

// A message in a snapshot, with what finds it by its name, costs less than 100 bytes.
func TestHeapOfAMessage(t *testing.T) {
	const n = 100_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s, _ := filled(n)
	names := buildNameTable(s, 0)
	runtime.GC()
	runtime.ReadMemStats(&after)
	per := float64(after.HeapAlloc-before.HeapAlloc) / n
	t.Logf("%.1f bytes a message", per)
	if per >= 100 {
		t.Errorf("%.1f bytes a message", per)
	}
	runtime.KeepAlive(s)
	runtime.KeepAlive(names)
}

func BenchmarkPublishOneFlag(b *testing.B) {
	s, infos := filled(100_000)
	b.ReportAllocs()
	for b.Loop() {
		build := newBuilder(s, infos)
		st := build.state(50_000)
		st.flags, st.modseq = 8, 2
		build.finish()
	}
}

func BenchmarkDiffOneChange(b *testing.B) {
	s, infos := filled(100_000)
	build := newBuilder(s, infos)
	build.state(50_000).modseq = 2
	now := build.finish()
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for range Diff(s, now) {
			n++
		}
		if n != 1 {
			b.Fatal(n)
		}
	}
}

func BenchmarkExpungeOne(b *testing.B) {
	s, infos := filled(100_000)
	b.ReportAllocs()
	for b.Loop() {
		build := newBuilder(s, infos)
		build.remove(50_000, 50_000)
		build.finish()
	}
}

func BenchmarkAppendOne(b *testing.B) {
	s, infos := filled(100_000)
	m := row(100_001)
	b.ReportAllocs()
	for b.Loop() {
		build := newBuilder(s, infos)
		build.add(&m)
		build.finish()
	}
}

func BenchmarkSeqOfUID(b *testing.B) {
	s, infos := filled(100_000)
	v := NewView(s)
	build := newBuilder(s, infos)
	for u := mail.UID(1); u < 100_000; u += 1000 {
		build.remove(u, u)
	}
	for range v.Sync(build.finish(), false) {
		b.Fatal("an update")
	}
	uid := mail.UID(1)
	for b.Loop() {
		if _, ok := v.Seq(uid); !ok {
			b.Fatal(uid)
		}
		uid = (uid+7919)%100_000 + 1
	}
}

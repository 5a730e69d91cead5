package search

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"postrider/mail"
)

// counting counts the headers that are read.
type counting struct {
	*box
	n atomic.Int32
}

func (c *counting) Header(ctx context.Context, i int, names []string) ([]byte, error) {
	c.n.Add(1)
	return c.box.Header(ctx, i, names)
}

// talk is messages that answer each other.
func talk(n int) *box {
	r := rand.New(rand.NewPCG(1, 2))
	b := &box{gone: map[int]bool{}}
	for i := range n {
		var m strings.Builder
		fmt.Fprintf(&m, "Message-ID: <%d@x>\r\nFrom: p%d@x\r\nTo: q%d@x\r\nCc: r%d@x\r\n", i, r.IntN(9), r.IntN(9), r.IntN(9))
		fmt.Fprintf(&m, "Date: %d Mar 2024 %02d:00:00 +0%d00\r\nSubject: %s%d\r\n", 1+r.IntN(28), r.IntN(24), r.IntN(9), []string{"", "Re: ", "Fwd: "}[r.IntN(3)], r.IntN(n/3+1))
		for k := r.IntN(3); k > 0 && i > 0; k-- {
			fmt.Fprintf(&m, "References: <%d@x> <%d@x>\r\n", r.IntN(i), r.IntN(i+5))
		}
		b.msgs = append(b.msgs, m.String()+"\r\n")
	}
	return b
}

func outline(nodes []*Node) string {
	var b strings.Builder
	for _, n := range nodes {
		fmt.Fprintf(&b, "(%d%s)", n.Index, outline(n.Children))
	}
	return b.String()
}

// What is remembered changes no answer, and no header is read twice.
func TestMemoryChangesNothing(t *testing.T) {
	src := &counting{box: talk(300)}
	with := options
	with.Memory = NewMemory()
	r := rand.New(rand.NewPCG(3, 4))
	keys := []mail.SortKey{mail.SortDate, mail.SortSubject, mail.SortFrom, mail.SortTo, mail.SortCc, mail.SortArrival, mail.SortSize}
	for range 60 {
		var hits []int
		for i := range src.msgs {
			if r.IntN(3) > 0 {
				hits = append(hits, i)
			}
		}
		c := []mail.SortCriterion{{Key: keys[r.IntN(len(keys))], Reverse: r.IntN(2) == 0}, {Key: keys[r.IntN(len(keys))]}}
		want, err := Sort(t.Context(), c, src, hits, options)
		got, err2 := Sort(t.Context(), c, src, hits, with)
		if err != nil || err2 != nil || !slices.Equal(got, want) {
			t.Fatalf("SORT %v:\n got %v, %v\nwant %v, %v", c, got, err2, want, err)
		}
		for _, alg := range []mail.ThreadAlgorithm{mail.References, mail.OrderedSubject} {
			want, err := Thread(t.Context(), alg, src, hits, options)
			got, err2 := Thread(t.Context(), alg, src, hits, with)
			if err != nil || err2 != nil || outline(got) != outline(want) {
				t.Fatalf("THREAD %v:\n got %v, %v\nwant %v, %v", alg, outline(got), err2, outline(want), err)
			}
		}
	}
	src.n.Store(0)
	all := make([]int, len(src.msgs))
	for i := range all {
		all[i] = i
	}
	for _, k := range keys {
		if _, err := Sort(t.Context(), []mail.SortCriterion{{Key: k}}, src, all, with); err != nil {
			t.Fatal(err)
		}
	}
	if n := src.n.Load(); n > 300 { // some were in no set of hits with some key
		t.Errorf("%d headers are read, though most are known", n)
	}
	src.n.Store(0)
	if _, err := Thread(t.Context(), mail.References, src, all, with); err != nil || src.n.Load() != 0 {
		t.Errorf("%d headers are read for what is known: %v", src.n.Load(), err)
	}
}

// Of a message that cannot be read now nothing is remembered.
func TestMemoryForgetsWhatIsGone(t *testing.T) {
	src := &counting{box: talk(10)}
	o := options
	o.Memory = NewMemory()
	src.gone[4] = true
	c := []mail.SortCriterion{{Key: mail.SortSubject}}
	hits := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	if _, err := Sort(t.Context(), c, src, hits, o); err != nil {
		t.Fatal(err)
	}
	delete(src.gone, 4)
	want, _ := Sort(t.Context(), c, src, hits, options)
	src.n.Store(0)
	if got, err := Sort(t.Context(), c, src, hits, o); err != nil || !slices.Equal(got, want) || src.n.Load() != 1 {
		t.Errorf("got %v, %v, want %v; %d headers read", got, err, want, src.n.Load())
	}
}

func TestMemoryIsShared(t *testing.T) {
	src := &counting{box: talk(200)}
	o := options
	o.Memory = NewMemory()
	all := make([]int, len(src.msgs))
	for i := range all {
		all[i] = i
	}
	want, err := Thread(t.Context(), mail.References, src, all, options)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			part := all[g*10:]
			if _, err := Sort(t.Context(), []mail.SortCriterion{{Key: mail.SortFrom}, {Key: mail.SortDate}}, src, part, o); err != nil {
				t.Error(err)
			}
			got, err := Thread(t.Context(), mail.References, src, all, o)
			if err != nil || outline(got) != outline(want) {
				t.Errorf("a thread among others: %v", err)
			}
		})
	}
	wait.Wait()
}

package account

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"postrider/mail"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/vfs/faultfs"
)

// TestFailureAtEveryStep has each operation of a change fail in turn. Nothing
// may be lost, and the change must succeed when it is given again.
func TestFailureAtEveryStep(t *testing.T) {
	for name, change := range map[string]func(a *Account) error{
		"create":    func(a *Account) error { return a.Create(t.Context(), "X", []string{`\Sent`}) },
		"rename":    func(a *Account) error { return a.Rename(t.Context(), "A", "X") },
		"subscribe": func(a *Account) error { return a.Subscribe(t.Context(), "X") },
	} {
		steps, failed := 0, true
		for n := 1; failed; n++ {
			steps, failed = n, failAt(t, name, n, change)
		}
		if steps < 5 {
			t.Errorf("%s has %d operations", name, steps)
		}
	}
}

func failAt(t *testing.T, name string, n int, change func(*Account) error) (failed bool) {
	var armed atomic.Bool
	s := newStage(t, func(c *HouseConfig) {
		var seen atomic.Int64
		c.FS = faultfs.Wrap(c.FS, func(faultfs.Op) error {
			if armed.Load() && seen.Add(1) == int64(n) {
				failed = true
				return syscall.EIO
			}
			return nil
		})
	})
	defer s.end()
	for _, n := range []mail.Name{"A", "A/b", "A/b/c"} {
		must(t, s.a.Create(t.Context(), n, nil))
	}
	s.put("/m/.A.b/new", "1.a.h")
	must(t, s.a.Subscribe(t.Context(), "A"))
	armed.Store(true)
	err := change(s.a)
	armed.Store(false)
	if err != nil {
		if !failed {
			t.Fatalf("%s: %v", name, err)
		}
		got := show(t, s.a)
		for _, suffix := range []string{"", "/b", "/b/c"} {
			if !has(got, "A"+suffix) && !has(got, "X"+suffix) {
				t.Errorf("%s, step %d: A%s is lost: %s", name, n, suffix, got)
			}
		}
		done := has(got, "X") && name != "subscribe" // all but the telling
		if err := change(s.a); (err != nil) != done {
			t.Errorf("%s, step %d, again: %v", name, n, err)
		}
	}
	want := map[string]string{"create": "X", "rename": "X/b/c", "subscribe": "A"}[name]
	if got := show(t, s.a); !has(got, want) {
		t.Errorf("%s, step %d: there is no %s: %s", name, n, want, got)
	}
	return failed
}

// has looks for a mailbox that exists in what show printed.
func has(tree, name string) bool {
	for word := range strings.FieldsSeq(tree) {
		if word, _, _ = strings.Cut(word, `\`); strings.TrimRight(word, "+!") == name {
			return true
		}
	}
	return false
}

// TestManyAtOnce has several sessions change and use one tree. At the end it
// must be what the directories say.
func TestManyAtOnce(t *testing.T) {
	s := newStage(t, nil)
	defer s.end()
	var sessions sync.WaitGroup
	for i := range 6 {
		sessions.Go(func() {
			a, err := s.h.Open(t.Context(), Config{Root: "/m"})
			if err != nil {
				t.Error(err)
				return
			}
			r := rand.New(rand.NewPCG(uint64(i), 7))
			for range 60 {
				s.doSomething(a, r)
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	sessions.Wait()
	entries, err := maildir.ListFolders(s.dir("/m"), maildir.Naming{Escapes: true})
	must(t, err)
	tree, err := s.a.List(t.Context())
	must(t, err)
	for _, e := range entries {
		if node, ok := tree.Find(e.Name); !ok || !node.Exists {
			t.Errorf("%s is not in the tree", e.Name)
		}
		h := s.mailbox(e.Name)
		if err := h.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
		h.Release()
	}
	err = s.dir("/m").List(func(name string, _ vfs.Type) bool {
		if strings.HasPrefix(name, "postrider-gone") {
			t.Errorf("left in the root: %s", name)
		}
		return true
	})
	must(t, err)
}

// doSomething does one thing. Whether it succeeds depends on the others.
func (s *stage) doSomething(a *Account, r *rand.Rand) {
	ctx := s.t.Context()
	name := func() mail.Name { return mail.Name(fmt.Sprintf("%c/%c", 'a'+r.IntN(2), 'x'+r.IntN(3))) }
	switch r.IntN(5) {
	case 0:
		_ = a.Create(ctx, name(), nil)
	case 1:
		_ = a.Delete(ctx, name())
	case 2:
		_ = a.Rename(ctx, name(), name())
	case 3:
		if _, err := a.List(ctx); err != nil {
			s.t.Error(err)
		}
	default:
		h, err := a.Mailbox(ctx, name())
		if err != nil {
			return
		}
		defer h.Release()
		if _, err := h.Refresh(ctx); err != nil && !h.Gone() {
			s.t.Error(err)
		}
	}
}

package watch

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestStorm moves many names about in three directories, two of them watched,
// and checks that who believes every event knows what is there.
func TestStorm(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	w := start(t, realKernel(), Options{})
	var mu sync.Mutex
	var came, arrivals int
	known := []map[string]bool{{}, {}}
	for i := range known {
		fd, here, err := openPath(dirs[i], false)
		must(t, err)
		must(t, unix.Close(fd))
		s, err := w.Watch(dirs[i], func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			switch e.Kind {
			case Came:
				known[i][e.Name] = true
				came++
			case Went:
				delete(known[i], e.Name)
			case Renamed:
				if known[i][e.Name] = true; e.FromDir == here {
					delete(known[i], e.OldName)
				}
			default:
				t.Errorf("told %+v", e)
			}
		})
		must(t, err)
		defer s.Close()
	}
	var movers sync.WaitGroup
	for m := range 4 {
		movers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(m), 1))
			for i := range 40 {
				n := stormOne(t, dirs, fmt.Sprint(m, ".", i), r)
				mu.Lock()
				arrivals += n
				mu.Unlock()
			}
		})
	}
	movers.Wait()
	drain(t, w)
	mu.Lock()
	defer mu.Unlock()
	if came != arrivals {
		t.Errorf("%d names came from nowhere, %d were told so", arrivals, came)
	}
	for i := range known {
		compare(t, dirs[i], slices.Sorted(maps.Keys(known[i])))
	}
}

func compare(t *testing.T, dir string, known []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var there []string
	for _, e := range entries {
		there = append(there, e.Name())
	}
	if !slices.Equal(known, there) {
		t.Errorf("%s: %d names known, %d there", dir, len(known), len(there))
	}
}

// stormOne makes one file and moves it, never to a name that it had before: a
// Went may come late. It returns how often the file came to one of the first two
// directories from none of them.
func stormOne(t *testing.T, dirs []string, name string, r *rand.Rand) (arrivals int) {
	from, to := 2, r.IntN(len(dirs))
	path := filepath.Join(dirs[to], name)
	err := os.WriteFile(path, nil, 0o600)
	for step := range r.IntN(20) {
		if from == 2 && to != 2 {
			arrivals++
		}
		next := filepath.Join(dirs[r.IntN(len(dirs))], fmt.Sprint(name, ":", step))
		err = errors.Join(err, os.Rename(path, next))
		from, to = to, slices.Index(dirs, filepath.Dir(next))
		path = next
	}
	if err != nil {
		t.Error(err)
	}
	if from == 2 && to != 2 {
		arrivals++
	}
	return arrivals
}

package search

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// spread calls f for each item from some goroutines, which have ended when it
// returns. The first error ends it; a panic is raised again in the caller.
func spread(ctx context.Context, workers int, items []int, f func(int) error) error {
	workers = min(max(workers, 1), len(items))
	if workers <= 1 {
		for _, i := range items {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := f(i); err != nil {
				return err
			}
		}
		return nil
	}
	var (
		next   atomic.Int64
		failed atomic.Bool
		once   sync.Once
		err    error
		wg     sync.WaitGroup
		caught any
	)
	fail := func(e error, p any) {
		once.Do(func() { err, caught = e, p })
		failed.Store(true)
	}
	work := func() {
		defer func() {
			if p := recover(); p != nil {
				fail(nil, fmt.Sprintf("%v\n%s", p, debug.Stack()))
			}
		}()
		for !failed.Load() {
			k := int(next.Add(1)) - 1
			if k >= len(items) {
				return
			}
			if e := ctx.Err(); e != nil {
				fail(e, nil)
			} else if e := f(items[k]); e != nil {
				fail(e, nil)
			}
		}
	}
	for range workers {
		wg.Go(work)
	}
	wg.Wait()
	if caught != nil {
		panic(caught)
	}
	return err
}

package serve

import "context"

// Retire ends accepting, for another Server takes the next connections. Those that are
// there go on, with the settings that they began with: Serve returns when the last has
// ended, or drains when its context ends. Any goroutine may call it, more than once.
func (s *Server) Retire() { s.retire.Do(func() { close(s.retired) }) }

// outlast waits until all connections have ended or ctx has.
func (s *Server) outlast(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	ended := make(chan struct{})
	go func() {
		s.done.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

package mailbox

import (
	"context"
	"errors"
	"fmt"
)

// Check brings the mailbox up to date, compares directories, journal, snapshot file,
// cache and the newest snapshot, and returns what does not agree. It is for tests;
// Examine, of which it is made, changes nothing.
func (m *Mailbox) Check(ctx context.Context) error {
	return m.change(ctx, func() error {
		if err := m.reconcile(ctx, [2]bool{true, true}); err != nil {
			return err
		}
		held := func(context.Context) (func(), error) { return func() {}, nil }
		x := &examiner{Examination: &Examination{}, ExamineOptions: ExamineOptions{Now: m.now}, folder: m.folder}
		defer x.close()
		if _, err := x.run(ctx, held); err != nil {
			return err
		}
		if x.state != nil {
			x.compare("the newest snapshot", m.Snapshot(), x.state)
			x.order(m.Snapshot())
		}
		var errs []error
		if x.state != nil && x.state.recentFrom != m.Snapshot().recentFrom && !m.unclaimed {
			errs = append(errs, fmt.Errorf("\\Recent is claimed below UID %d, the journal says %d", m.Snapshot().recentFrom, x.state.recentFrom))
		}
		for _, f := range x.Findings {
			if f.Severity != Note && (f.Part != partSnapshot || x.file != nil) { // one that cannot be read is as good as none
				errs = append(errs, errors.New(f.String()))
			}
		}
		return errors.Join(errs...)
	})
}

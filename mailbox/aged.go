package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"postrider/mail"
)

// Aged are the messages that have lain in the mailbox unchanged since before t: known
// to have come before, and their files not renamed since, be it for a flag. What is
// known to be younger costs no look at its file.
func (m *Mailbox) Aged(ctx context.Context, t time.Time) (mail.UIDSet, error) {
	snap, err := m.Refresh(ctx)
	if err != nil {
		return nil, err
	}
	var aged mail.UIDSet
	for _, msg := range snap.All(0) {
		if !msg.Saved.IsZero() && !msg.Saved.Before(t) {
			continue
		}
		info, err := m.folder.Stat(msg.file())
		switch {
		case errors.Is(err, fs.ErrNotExist):
			// Renamed or removed a moment ago: in either case not aged.
		case err != nil:
			return nil, fmt.Errorf("looking at a message's age: %w", err)
		case info.Ctime.Before(t):
			aged.Add(msg.UID)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return aged, nil
}

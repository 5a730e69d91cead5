package mailbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postrider/mail"
)

// names compares the directories with what the journal says. A difference is a change
// that no session has seen yet, unless the journal says that it has seen the directory
// as it is: then nobody would ever look.
func (x *examiner) names(ctx context.Context) error {
	before, err := x.folder.Times()
	if err != nil {
		return fmt.Errorf("looking at the directories: %w", err)
	}
	severity := x.severities(before)
	seen := make(bitmap, (x.state.Len()+63)/64)
	err = x.scan(ctx, func(f mail.MessageFile) {
		x.Files++
		_, i, known := x.looker.m.lookup(x.state, f.Base)
		if !known {
			x.add(severity[dirIndex(f.New)], partNames, 0, "%s has no UID yet", where(f))
			return
		}
		msg := x.state.Message(i)
		switch {
		case seen.has(i):
			x.add(severity[dirIndex(f.New)], partNames, msg.UID, "%s is a second file with its base name", where(f))
		case !sameName(msg, f):
			x.add(severity[dirIndex(f.New)], partNames, msg.UID, "the file is %s, the journal says %s", where(f), where(msg.file()))
		}
		seen.set(i)
	})
	if err != nil {
		return err
	}
	x.Messages = x.state.Len()
	return x.missing(ctx, seen, severity)
}

// severities says how bad a difference in either directory is.
func (x *examiner) severities(now mail.FolderTimes) [2]Severity {
	s := [2]Severity{inNewDir: Unseen, inCurDir: Unseen}
	t := x.looker.m.side.times
	believed := func(known bool, seen, mtime time.Time) bool { return known && seen.Equal(mtime) }
	if believed(t.NewKnown, t.New, now.New) {
		s[inNewDir] = Damage
	}
	if believed(t.CurKnown, t.Cur, now.Cur) {
		s[inCurDir] = Damage
	}
	return s
}

func (x *examiner) scan(ctx context.Context, take func(mail.MessageFile)) error {
	err := x.folder.Scan(true, true, func(f mail.MessageFile) bool { take(f); return ctx.Err() == nil })
	if err = errors.Join(err, ctx.Err()); err != nil {
		return fmt.Errorf("reading the directories: %w", err)
	}
	return nil
}

// missing looks a second time for the files that the first reading did not show.
func (x *examiner) missing(ctx context.Context, seen bitmap, severity [2]Severity) error {
	lost := map[string]mail.UID{}
	for i, msg := range x.state.All(0) {
		if !seen.has(i) {
			lost[msg.Base] = msg.UID
		}
	}
	if len(lost) == 0 {
		return nil
	}
	if err := x.scan(ctx, func(f mail.MessageFile) { delete(lost, f.Base) }); err != nil {
		return err
	}
	for i, msg := range x.state.All(0) {
		if _, ok := lost[msg.Base]; ok && !seen.has(i) {
			x.add(severity[dirIndex(msg.New)], partNames, msg.UID, "there is no file %s", where(msg.file()))
		}
	}
	return nil
}

// where is a file's place in its folder.
func where(f mail.MessageFile) string {
	if f.New {
		return "new/" + f.Name
	}
	return "cur/" + f.Name
}

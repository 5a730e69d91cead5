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
	n := (x.state.Len() + 63) / 64
	seen, others := make(bitmap, n), map[int][]mail.MessageFile{}
	right := make(bitmap, n) // the file was seen under the journal's name
	err = x.scan(ctx, func(f mail.MessageFile) {
		x.Files++
		_, i, known := x.looker.m.lookup(x.state, f.Base)
		if !known {
			x.add(severity[dirIndex(f.New)], partNames, 0, "%s has no UID yet", where(f))
			return
		}
		seen.set(i)
		if sameName(x.state.Message(i), f) && !right.has(i) {
			right.set(i)
		} else {
			others[i] = append(others[i], f)
		}
	})
	if err != nil {
		return err
	}
	for i, files := range others {
		x.otherNames(x.state.Message(i), files, right.has(i), severity)
	}
	x.Messages = x.state.Len()
	return x.missing(ctx, seen, severity)
}

// otherNames is about files with a message's base name that have not the name that the
// journal says; right: the one that has it is there, too. A second name of that file is
// what a program leaves that links and then unlinks.
func (x *examiner) otherNames(msg Message, files []mail.MessageFile, right bool, severity [2]Severity) {
	if !right {
		f := files[0]
		files = files[1:]
		x.add(severity[dirIndex(f.New)], partNames, msg.UID, "the file is %s, the journal says %s", where(f), where(msg.file()))
	}
	main, err := x.folder.Stat(msg.file())
	for _, f := range files {
		if info, e := x.folder.Stat(f); right && err == nil && e == nil && info.Ino == main.Ino {
			x.add(Note, partNames, msg.UID, "%s is a second name of its file", where(f))
		} else {
			x.add(severity[dirIndex(f.New)], partNames, msg.UID, "%s is a second file with its base name", where(f))
		}
	}
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

package mailbox

import (
	"context"
	"time"

	"postrider/mail"
)

// Two readings of a directory in which files are renamed without pause can both miss
// one file. Where a watch covers the directories its hints name such a file. Where
// none does, only a reading during which nothing was renamed proves an absence: the
// mtimes are the same before and after it, and were so for longer than the clock's
// tick, within which a second change would not show.

const (
	// tick is above what the kernel's clock for files moves in (10 ms with HZ=100).
	tick = 12 * time.Millisecond

	// quietReadings is how many readings wait for such a moment. Then the messages
	// stay, and the next look goes on.
	quietReadings = 8
)

// find reads both directories for files with these base names.
func (v *survey) find(ctx context.Context, bases map[string]mail.UID) (map[string][]mail.MessageFile, error) {
	found := map[string][]mail.MessageFile{}
	v.m.c.Counts.readings.Add(1)
	err := v.m.folder.Scan(true, true, func(f mail.MessageFile) bool {
		if _, ok := bases[f.Base]; ok {
			found[f.Base] = append(found[f.Base], f)
		}
		return ctx.Err() == nil
	})
	if err == nil {
		err = ctx.Err()
	}
	return found, err
}

// lookOn reads on, where no watch would tell of renames, until every missing message
// was found or a quiet reading proved that the others are gone. found is what a
// reading found of them, and comes back with more; restless says that none was quiet.
func (v *survey) lookOn(ctx context.Context, missing map[string]mail.UID, found map[string][]mail.MessageFile) (map[string][]mail.MessageFile, error) {
	if v.m.covered() || v.coarse() {
		return found, nil
	}
	for range quietReadings {
		left := map[string]mail.UID{}
		for base, uid := range missing {
			if len(found[base]) == 0 {
				left[base] = uid
			}
		}
		if len(left) == 0 {
			return found, nil
		}
		more, quiet, err := v.quietly(ctx, left)
		if err != nil {
			return nil, err
		}
		for base, files := range more {
			found[base] = files
		}
		if quiet {
			return found, nil
		}
	}
	v.restless = true
	return found, nil
}

// quietly is one reading, and whether nothing was renamed during it.
func (v *survey) quietly(ctx context.Context, left map[string]mail.UID) (found map[string][]mail.MessageFile, quiet bool, err error) {
	before, err := v.m.folder.Times()
	if err != nil {
		return nil, false, err
	}
	if now := v.m.now(); now.Sub(before.New) < grain || now.Sub(before.Cur) < grain {
		time.Sleep(tick)
	}
	if found, err = v.find(ctx, left); err != nil {
		return nil, false, err
	}
	after, err := v.m.folder.Times()
	return found, after.New.Equal(before.New) && after.Cur.Equal(before.Cur), err
}

// coarse says that the file system keeps times in seconds: there is no quiet moment
// short of one.
func (v *survey) coarse() bool {
	t, err := v.m.folder.Times()
	return err != nil || t.New.Nanosecond() == 0 && t.Cur.Nanosecond() == 0
}

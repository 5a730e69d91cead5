package maildir

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"syscall"
	"time"

	"postrider/vfs"
)

const (
	fewKeywords    = 64               // sets that are written one by one
	unknownAge     = 15 * time.Minute // of a file for a message that is not there
	maxKeywordLoad = 8                // tries to get an older update out of the way
)

// KeywordsStamp tells the state of courierimapkeywords from every other, and when it
// came to be; "" if there is none. Two changes in one grain of the file system's clock
// look the same.
func (f *Folder) KeywordsStamp() (string, time.Time, error) {
	st, err := f.dir.Stat(CourierKeywords)
	if errors.Is(err, fs.ErrNotExist) {
		return "", time.Time{}, nil
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("look at Courier's keywords: %w", err)
	}
	return fmt.Sprintf("%d.%d", st.Ino, st.Mtime.UnixNano()), st.Mtime, nil
}

// WriteKeywords makes words the keywords of one message, as Courier's careful way is:
// an update that is there already goes into the list first. Durable on return.
func (f *Folder) WriteKeywords(base string, words []string) error {
	d, err := f.openKeywords()
	if err != nil {
		return fmt.Errorf("write Courier's keywords: %w", err)
	}
	defer d.Close()
	if err = f.putUpdate(d, base, words); err == nil && !f.o.NoSync {
		err = d.Sync()
	}
	if err != nil {
		return fmt.Errorf("write Courier's keywords: %s: %w", f.dir.Path(), err)
	}
	return nil
}

// MakeCourierKeywords makes courierimapkeywords in a folder with a courierimapuiddb, as
// Courier does whenever somebody looks at the folder: it is what both watch.
func (f *Folder) MakeCourierKeywords() error {
	if _, err := f.dir.Stat(uiddbFile); err != nil {
		return ignoreMissing(err)
	}
	d, err := f.openKeywords()
	if err != nil {
		return err
	}
	return d.Close()
}

// openKeywords opens courierimapkeywords, and makes it with the permissions of the
// folder.
func (f *Folder) openKeywords() (vfs.Dir, error) {
	d, err := f.dir.OpenDir(CourierKeywords)
	if !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	st, err := f.dir.StatSelf()
	if err != nil {
		return nil, err
	}
	if err := f.dir.Mkdir(CourierKeywords, st.Mode.Perm()); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if !f.o.NoSync {
		if err := f.dir.Sync(); err != nil {
			return nil, err
		}
	}
	return f.dir.OpenDir(CourierKeywords)
}

// putUpdate publishes one message's set.
func (f *Folder) putUpdate(d vfs.Dir, base string, words []string) error {
	if !validBase(base) {
		return &fs.PathError{Op: "keywords", Path: base, Err: syscall.EINVAL}
	}
	temp, err := f.stageText(d, func(w *bufio.Writer) {
		for _, word := range words {
			w.WriteString(word)
			w.WriteByte('\n')
		}
	})
	if err != nil {
		return err
	}
	for range maxKeywordLoad {
		err = d.Link(temp, d, base)
		if st, serr := d.Stat(temp); err != nil && serr == nil && st.Nlink == 2 {
			err = nil // a network file system did it and lost the answer
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		if err = f.tidyKeywords(d, nil); err != nil {
			break
		}
	}
	if err != nil && (noLinks(err) || errors.Is(err, fs.ErrExist)) {
		return d.Rename(temp, d, base) // the last who writes wins
	}
	return errors.Join(err, ignoreMissing(d.Remove(temp)))
}

// stageText writes a file in tmp and moves it to courierimapkeywords, under a name
// that nobody reads.
func (f *Folder) stageText(d vfs.Dir, write func(*bufio.Writer)) (string, error) {
	name, file, err := f.createSide(f.o.FileMode)
	if err != nil {
		return "", err
	}
	out := bufio.NewWriter(file)
	write(out)
	err = out.Flush()
	if err == nil && !f.o.NoSync {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	temp := keywordsTemp + name
	if err == nil {
		err = f.tmp.Rename(name, d, temp)
	}
	if err != nil {
		f.tmp.Remove(name)
	}
	return temp, err
}

// StoreKeywords makes sets the keywords of the folder's messages. A message that is
// not in sets has none, or is not there. What lies in courierimapkeywords for longer
// than its readers need it goes. Durable on return.
func (f *Folder) StoreKeywords(sets map[string][]string) error {
	if err := f.storeKeywords(sets); err != nil {
		return fmt.Errorf("write Courier's keywords: %s: %w", f.dir.Path(), err)
	}
	return nil
}

func (f *Folder) storeKeywords(sets map[string][]string) error {
	d, err := f.dir.OpenDir(CourierKeywords)
	if errors.Is(err, fs.ErrNotExist) {
		if !hasKeywords(sets) {
			return nil
		}
		d, err = f.openKeywords()
	}
	if err != nil {
		return err
	}
	defer d.Close()
	k, err := readKeywords(d)
	if err != nil {
		return err
	}
	differ := k.differing(sets)
	if len(differ) > fewKeywords {
		err = f.rewriteKeywords(d, k, sets, differ)
	} else {
		for _, base := range differ {
			if err = f.putUpdate(d, base, sets[base]); err != nil {
				return err
			}
		}
	}
	if err == nil {
		err = f.tidyKeywords(d, sets)
	}
	if err == nil && !f.o.NoSync {
		err = d.Sync()
	}
	return err
}

func hasKeywords(sets map[string][]string) bool {
	for _, words := range sets {
		if len(words) > 0 {
			return true
		}
	}
	return false
}

// differing are the messages in sets whose keywords are others, in order.
func (k *keywords) differing(sets map[string][]string) []string {
	var list []string
	for base, words := range sets {
		if validBase(base) && !k.sameWords(k.sets[base], words) {
			list = append(list, base)
		}
	}
	slices.Sort(list)
	return list
}

// sameWords compares sets without regard to the case of letters. a is sorted.
func (k *keywords) sameWords(a, b []string) bool {
	own := make([]string, len(b))
	for i, word := range b {
		own[i] = k.spell.word(word)
	}
	return slices.Equal(a, sortedWords(own))
}

// rewriteKeywords puts many sets into the list at once; older updates of these
// messages, which would win over it, go.
func (f *Folder) rewriteKeywords(d vfs.Dir, k *keywords, sets map[string][]string, differ []string) error {
	for _, base := range differ {
		k.sets[base] = sets[base]
	}
	if err := f.writeList(d, k.sets); err != nil {
		return err
	}
	for _, base := range differ {
		u := k.updates[base]
		if u.plain {
			if err := ignoreMissing(d.Remove(base)); err != nil {
				return err
			}
		}
		for _, slot := range u.slots {
			if err := ignoreMissing(d.Remove(slotName(slot, base))); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeList replaces :list. Without any keyword there is none.
func (f *Folder) writeList(d vfs.Dir, sets map[string][]string) error {
	if !hasKeywords(sets) {
		return ignoreMissing(d.Remove(keywordsList))
	}
	temp, err := f.stageText(d, func(w *bufio.Writer) { listText(w, sets) })
	if err == nil {
		err = d.Rename(temp, d, keywordsList)
	}
	return err
}

// listText is the text of :list.
func listText(w *bufio.Writer, sets map[string][]string) {
	numbers := map[string]int{}
	bases := slices.Sorted(maps.Keys(sets))
	for _, base := range bases {
		for _, word := range sets[base] {
			if _, ok := numbers[word]; !ok {
				numbers[word] = len(numbers)
				fmt.Fprintln(w, word)
			}
		}
	}
	fmt.Fprintln(w)
	for _, base := range bases {
		if len(sets[base]) == 0 {
			continue
		}
		w.WriteString(base)
		for i, word := range sets[base] {
			fmt.Fprintf(w, "%c%d", ": "[min(i, 1)], numbers[word])
		}
		fmt.Fprintln(w)
	}
}

// tidyKeywords brings the updates into the list, as Courier does whenever it loads the
// keywords. What was brought in keeps lying there for five to ten minutes, for those
// who read the list before and look for the update only now. known are the messages
// that are there, as far as they have keywords; nil: all may be.
func (f *Folder) tidyKeywords(d vfs.Dir, known map[string][]string) error {
	k, err := readKeywords(d)
	if err != nil {
		return err
	}
	unknown := func(base string) bool {
		_, ok := known[base]
		return known != nil && !ok
	}
	stale := false
	for base := range k.sets {
		if unknown(base) {
			delete(k.sets, base)
			stale = stale || k.listed[base] != nil
		} else {
			stale = stale || k.updates[base].differ
		}
	}
	if stale {
		if err := f.writeList(d, k.sets); err != nil {
			return err
		}
	}
	now := f.o.Now()
	for base, u := range k.updates {
		if unknown(base) && !u.empty {
			err = removeOld(d, base, u, now)
		} else {
			err = retire(d, base, u, now.Unix()/slotLen)
		}
		if err != nil {
			return err
		}
	}
	for _, temp := range k.temps {
		if err := removeIfOld(d, temp, now); err != nil {
			return err
		}
	}
	return nil
}

// retire renames an update that is in the list now to the name of the next slot, and
// removes those of earlier slots.
func retire(d vfs.Dir, base string, u update, slot int64) error {
	if u.plain {
		err := d.Rename(base, d, slotName(slot+1, base))
		if errors.Is(err, syscall.ENAMETOOLONG) {
			err = d.Remove(base)
		}
		if err = ignoreMissing(err); err != nil {
			return err
		}
	}
	for _, n := range u.slots {
		if n < slot {
			if err := ignoreMissing(d.Remove(slotName(n, base))); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeOld removes the updates of a message that is not there, unless it may be about
// to appear.
func removeOld(d vfs.Dir, base string, u update, now time.Time) error {
	if u.plain {
		if err := removeIfOld(d, base, now); err != nil {
			return err
		}
	}
	for _, n := range u.slots {
		if err := removeIfOld(d, slotName(n, base), now); err != nil {
			return err
		}
	}
	return nil
}

func removeIfOld(d vfs.Dir, name string, now time.Time) error {
	st, err := d.Stat(name)
	if err == nil && now.Sub(st.Mtime) > unknownAge {
		err = d.Remove(name)
	}
	return ignoreMissing(err)
}

// TidyKeywords changes no set of the messages in sets, and removes what lies in
// courierimapkeywords for longer than its readers need it, and for other messages.
func (f *Folder) TidyKeywords(sets map[string][]string) error {
	d, err := f.dir.OpenDir(CourierKeywords)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = f.tidyKeywords(d, sets)
		d.Close()
	}
	if err != nil {
		return fmt.Errorf("tidy Courier's keywords: %s: %w", f.dir.Path(), err)
	}
	return nil
}

package account

import (
	"fmt"
	"maps"
	"slices"

	"postrider/mail"
	"postrider/maildir"
	"postrider/vfs"
)

// folder looks at one directory of the root, "" for the root itself.
func (e *examiner) folder(dir string) FolderSurvey {
	f := FolderSurvey{Dir: dir, Name: mail.Inbox}
	if dir != "" {
		name, ok := e.naming.NameOfDir(dir)
		if !ok {
			f.odd("its name is no mailbox's")
		}
		f.Name = name
	}
	d, err := e.open(dir)
	if err != nil {
		f.odd("it cannot be opened: %v", err)
		return f
	}
	if !e.parts(&f, d) {
		d.Close()
		return f
	}
	folder, err := maildir.LookAt(d, maildir.Options{})
	if err != nil {
		f.odd("it cannot be opened: %v", err)
		return f
	}
	defer folder.Close()
	f.Ours = hasJournal(d)
	e.records(&f, folder)
	e.messages(&f, folder)
	return f
}

// hasJournal reports whether the folder has a journal of ours.
func hasJournal(d vfs.Dir) bool {
	j, err := d.OpenDir("postrider")
	if err != nil {
		return false
	}
	defer j.Close()
	_, err = j.Stat("journal")
	return err == nil
}

func (f *FolderSurvey) odd(format string, args ...any) {
	f.Odd = append(f.Odd, fmt.Sprintf(format, args...))
}

// open opens a folder's directory, with a handle of its own for the root.
func (e *examiner) open(dir string) (vfs.Dir, error) {
	if dir == "" {
		return e.fs.OpenDir(e.root.Path())
	}
	return e.root.OpenDir(dir)
}

// parts looks at what lies in a folder beside its messages; false if it is no
// Maildir.
func (e *examiner) parts(f *FolderSurvey, d vfs.Dir) bool {
	there := map[string]vfs.Info{}
	err := d.List(func(name string, _ vfs.Type) bool {
		if f.Dir == "" && name[0] == '.' {
			return true // a folder of its own
		}
		if st, err := d.Stat(name); err == nil {
			there[name] = st
		}
		if f.Dir != "" && slices.Contains(knownFiles[:], name) {
			f.Files = append(f.Files, name)
		}
		return true
	})
	slices.Sort(f.Files)
	if err != nil {
		f.odd("it cannot be read: %v", err)
		return false
	}
	if st, err := d.StatSelf(); err == nil && st.UID != e.owner {
		f.odd("it belongs to uid %d, the Maildir to %d", st.UID, e.owner)
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		switch st := there[name]; {
		case st.Type == vfs.Symlink:
			f.odd("%s is a symbolic link: it is not followed", name)
		case st.UID != e.owner:
			f.odd("%s belongs to uid %d, the Maildir to %d", name, st.UID, e.owner)
		}
	}
	whole := true
	for _, part := range []string{"cur", "new", "tmp"} {
		if there[part].Type != vfs.Directory {
			f.odd("it has no %s", part)
			whole = whole && part == "tmp"
		}
	}
	return whole
}

// records reads what other servers wrote down of the folder.
func (e *examiner) records(f *FolderSurvey, folder *maildir.Folder) {
	var control vfs.Dir
	if e.control != "" {
		c, err := openControl(e.fs, e.control, f.Dir)
		if err != nil {
			f.odd("%v", err)
		} else if c != nil {
			defer c.Close()
			control = c
		}
	}
	records, err := readRecords(folder, control)
	if err != nil {
		f.odd("it cannot be taken over: %v", err)
		return
	}
	f.Records = records
	if f.Ours {
		return // they matter no more
	}
	if len(records) == 0 && maildir.DovecotWasHere(folder.Dir()) {
		f.odd("Dovecot served it, but its %s is not here: name its control directory, or the UIDs begin anew", dovecotList)
	}
	for _, r := range records {
		if r.Refused != nil {
			f.odd("%s is not gone on with: %v", r.File, r.Refused)
		}
		if r.Damaged > 0 {
			f.odd("%s: %d lines are damaged, or say again what others say otherwise", r.File, r.Damaged)
		}
		if r.Lost != nil {
			f.odd("its keywords cannot be read, and are lost: %v", r.Lost)
		}
		if r.Beyond {
			f.odd("all %d keywords that Dovecot has letters for are in use; further ones are in its index alone, and are lost", maildir.DovecotLetters)
		}
	}
}

// messages reads new and cur.
func (e *examiner) messages(f *FolderSurvey, folder *maildir.Folder) {
	record := f.Used()
	count := counts{bases: map[string]bool{}, words: map[string]bool{}}
	err := folder.Scan(true, true, func(m mail.MessageFile) bool {
		st, err := folder.Stat(m)
		if err != nil {
			return e.ctx.Err() == nil // it was there a moment ago
		}
		count.take(m, st.UID != e.owner, record)
		return e.ctx.Err() == nil
	})
	if err != nil {
		f.odd("its messages cannot be read: %v", err)
	}
	f.Messages = count.files
	if len(f.Records) == 0 && !f.Ours && count.files > 0 {
		f.odd("no other server's list of UIDs is here: its messages get UIDs anew")
	}
	if record != nil {
		f.Kept, f.New = count.kept, count.files-count.kept
		f.Gone = record.Listed - count.kept
		f.Keywords = slices.Sorted(maps.Keys(count.words))
	}
	if count.foreign > 0 {
		f.odd("%d messages belong to another uid than the Maildir", count.foreign)
	}
	if count.twice > 0 {
		f.odd("%d files have the base name of another", count.twice)
	}
	for _, part := range []string{"new", "cur"} {
		if n := others(folder.Dir(), part); n > 0 {
			f.odd("%d entries of %s are no files", n, part)
		}
	}
}

// counts is what a reading of messages adds up to.
type counts struct {
	files, kept, foreign, twice int
	bases, words                map[string]bool
}

func (c *counts) take(m mail.MessageFile, foreign bool, r *Record) {
	c.files++
	if foreign {
		c.foreign++
	}
	again := c.bases[m.Base]
	c.bases[m.Base] = true
	if again {
		c.twice++
	}
	if r == nil {
		return
	}
	if !again && r.past.Messages[m.Base].UID != 0 {
		c.kept++
	}
	for _, w := range r.past.KeywordsOf(m) {
		c.words[w] = true
	}
}

// others counts what is neither a file nor begins with a dot.
func others(dir vfs.Dir, part string) (n int) {
	d, err := dir.OpenDir(part)
	if err != nil {
		return 0
	}
	defer d.Close()
	err = d.List(func(name string, t vfs.Type) bool {
		if t != vfs.Regular && t != vfs.Unknown && name[0] != '.' {
			n++
		}
		return true
	})
	if err != nil {
		return 0
	}
	return n
}

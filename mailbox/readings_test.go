package mailbox_test

import (
	"testing"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs/memfs"
)

// No directory is read in full because of a change, whoever made it: deliveries, flags
// set and messages removed by us and by another program, while a watch looks.
func TestChangesReadNoDirectory(t *testing.T) {
	w := newSite(t, memfs.Options{})
	var counts mailbox.Counts
	w.config = func(c *mailbox.Config, _ *maildir.Folder) { c.Counts = &counts }
	b := w.mustOpen("a", w.watch("a")[0])
	for i := range 40 {
		b.mustAppend(body(i), 0)
	}
	b.eyes.Drained()
	b.refresh()
	before := counts.Stats().Readings
	cur := w.dir("a/cur")
	for i := range 10 {
		w.deliver("a", body(100+i))
		b.eyes.Drained()
		s := b.refresh()
		m := s.Message(i)
		if err := cur.Rename(m.Base+m.Info, cur, m.Base+":2,FS"); err != nil {
			t.Fatal(err)
		}
		m = s.Message(20 + i)
		if err := cur.Remove(m.Base + m.Info); err != nil {
			t.Fatal(err)
		}
		if _, err := b.SetFlags(t.Context(), mail.SetOf(s.UID(30)), mail.FlagChange{Op: mail.FlagOp(i % 2), Flags: mail.Seen}, 0); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Expunge(t.Context(), mail.SetOf(s.UID(s.Len()-1)), false); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.ClaimRecent(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.eyes.Drained()
		b.refresh()
		b.mustAppend(body(200+i), mail.Draft)
	}
	b.eyes.Drained()
	if s, readings := b.refresh(), counts.Stats().Readings-before; readings != 0 || s.Len() != 40 {
		t.Errorf("the directories were read %d times; %d messages", readings, s.Len())
	}
	b.done()
}

package mailbox_test

import (
	"strings"
	"sync"
	"testing"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/vfs/memfs"
)

// Who fills in what is not known is handed each text that is read for it, once.
func TestFillReading(t *testing.T) {
	w := newSite(t, memfs.Options{})
	for i := range 20 {
		w.deliver("a", body(i))
	}
	b := w.mustOpen("a", nil)
	defer b.done()
	known := b.mustAppend(body(50), 0)
	var mu sync.Mutex
	texts := map[mail.UID]string{}
	also := func(uid mail.UID, text mailbox.Served) {
		var s strings.Builder
		if _, err := text.WriteTo(&s); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if _, twice := texts[uid]; twice {
			t.Errorf("UID %d comes twice", uid)
		}
		texts[uid] = s.String()
	}
	s, err := b.FillReading(t.Context(), mail.SetOf(uids(b)...), also)
	if err != nil || len(texts) != 20 || texts[known] != "" {
		t.Errorf("%d texts, %q: %v", len(texts), texts[known], err)
	}
	for uid, got := range texts {
		if want, err := b.text(uid); err != nil || got != want {
			t.Errorf("UID %d: %q, not %q, %v", uid, got, want, err)
		}
		if m, _ := s.Lookup(uid); m.CRLFSize != int64(len(got)) {
			t.Errorf("UID %d has %d octets, not %d", uid, len(got), m.CRLFSize)
		}
	}
	clear(texts)
	if _, err := b.FillReading(t.Context(), mail.SetOf(uids(b)...), also); err != nil || len(texts) != 0 {
		t.Errorf("%d texts are read again: %v", len(texts), err)
	}
}

package session

import "postrider/mailbox"

// Derive makes of a message what its mailbox's cache keeps of it: for tools that check
// a cache, or make one anew.
func Derive(text mailbox.Served) ([]mailbox.CacheEntry, error) {
	d, err := deriveText(text)
	if err != nil {
		return nil, err
	}
	return d.entries(), nil
}

func deriveText(text mailbox.Served) (derived, error) {
	size, err := text.Size()
	if err != nil {
		return derived{}, err
	}
	return derive(text, size)
}

// entries is what of it is kept.
func (d *derived) entries() []mailbox.CacheEntry {
	var keep []mailbox.CacheEntry
	for _, f := range d.fields() {
		if len(*f.bytes) <= maxCached {
			keep = append(keep, mailbox.CacheEntry{Field: f.field, Bytes: *f.bytes})
		}
	}
	return keep
}

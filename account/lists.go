package account

import (
	"errors"

	"postrider/mailbox"
	"postrider/maildir"
)

// Lists are what other servers' lists in a folder know of its messages, the one to
// believe first before the other: for making a journal of what is left.
func Lists(f *maildir.Folder) ([]mailbox.List, error) {
	records, err := readRecords(f, nil)
	if err != nil {
		return nil, err
	}
	var lists []mailbox.List
	for _, r := range records {
		l := mailbox.List{Name: r.File, Past: r.past, Err: errors.Join(r.Refused, r.Lost)}
		if r.Refused != nil {
			l.Past = nil
		}
		lists = append(lists, l)
	}
	return lists, nil
}

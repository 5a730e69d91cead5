package account

import (
	"errors"
	"io/fs"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
)

// Lists are what other servers' lists in a folder know of its messages, for making a
// journal of what is left.
func Lists(f *maildir.Folder) []mailbox.List {
	var lists []mailbox.List
	db, err := f.ReadUIDDB()
	if !errors.Is(err, fs.ErrNotExist) {
		l := mailbox.List{Name: "courierimapuiddb", UIDValidity: db.Validity, UIDNext: db.Next, UIDs: make(map[string]mail.UID, len(db.Entries)), Err: err}
		for _, e := range db.Entries {
			l.UIDs[e.Base] = e.UID
		}
		if err == nil {
			l.Keywords, l.Err = f.ReadKeywords()
		}
		lists = append(lists, l)
	}
	return lists
}

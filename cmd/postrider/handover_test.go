package main

import (
	"slices"
	"testing"

	"postrider/config"
)

// TestHidden: a setting of Courier's hides the words that Courier could have
// announced and none that it never knew; IMAP_HIDE hides any.
func TestHidden(t *testing.T) {
	for _, c := range []struct {
		settings    []string
		gone, there []string
	}{
		{nil, nil, []string{"SORT", "IDLE", "MOVE", "UIDPLUS"}},
		{[]string{"IMAP_CAPABILITY=IMAP4rev1 UIDPLUS idle"}, []string{"SORT", "NAMESPACE", "THREAD=REFERENCES"}, []string{"UIDPLUS", "IDLE", "MOVE", "LITERAL+", "UNSELECT", "SPECIAL-USE", "IMAP4rev1"}},
		{[]string{"IMAP_CAPABILITY=IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA"}, []string{"IDLE"}, []string{"SORT", "THREAD=REFERENCES", "ID", "ENABLE", "MOVE"}},
		{[]string{"IMAP_CAPABILITY=IMAP4rev1 AUTH=CRAM-MD5 STARTTLS ACL NOSUCH"}, []string{"IDLE", "AUTH=CRAM-MD5", "STARTTLS", "ACL", "NOSUCH"}, []string{"MOVE"}},
		{[]string{"IMAP_CAPABILITY=IMAP4rev1 SORT", "IMAP_CAPABILITY_TLS=IMAP4rev1 SORT IDLE"}, []string{"IDLE"}, []string{"SORT"}},
		{[]string{"IMAP_HIDE=MOVE"}, []string{"MOVE"}, []string{"SORT"}},
	} {
		loaded, err := config.Load(config.Options{Environment: c.settings})
		if err != nil {
			t.Fatal(err)
		}
		sc := sessionConfig(&loaded.Config, "", nil)
		words := sc.Capabilities()
		for _, w := range c.gone {
			if slices.Contains(words, w) {
				t.Errorf("%q announces %s", c.settings, w)
			}
		}
		for _, w := range c.there {
			if !slices.Contains(words, w) {
				t.Errorf("%q does not announce %s", c.settings, w)
			}
		}
	}
}

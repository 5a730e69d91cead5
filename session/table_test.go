package session

import (
	"strings"
	"testing"
)

// words is a sound set of arguments for every command that has some.
var words = map[string]string{
	"APPEND": "INBOX (\\Seen) {5}", "COPY": "1:* Sent", "CREATE": "Sent (USE (\\Sent))", "DELETE": "Sent", "ENABLE": "CONDSTORE",
	"EXAMINE": "INBOX", "FETCH": "1 (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)]<0.10>)", "ID": `("name" "x")`, "LIST": `"" % RETURN (SPECIAL-USE)`,
	"LSUB": `"" *`, "MOVE": "1 Trash", "RENAME": "a b", "SEARCH": "CHARSET UTF-8 SUBJECT x", "SELECT": "inbox", "SORT": "(REVERSE DATE) UTF-8 ALL",
	"STATUS": "INBOX (MESSAGES)", "STORE": "1 +FLAGS.SILENT (\\Seen)", "SUBSCRIBE": "a", "THREAD": "REFERENCES UTF-8 ALL", "UNSUBSCRIBE": "a",
	"UID COPY": "1 a", "UID EXPUNGE": "1:*", "UID FETCH": "1:* FLAGS", "UID MOVE": "1 a", "UID SEARCH": "ALL", "UID SORT": "(SIZE) UTF-8 ALL",
	"UID STORE": "1 FLAGS x", "UID THREAD": "ORDEREDSUBJECT UTF-8 ALL",
}

// anything are the commands that are refused whatever follows them.
func anything(name string) bool {
	return name == "LOGIN" || name == "AUTHENTICATE" || name == "STARTTLS"
}

func TestEveryRowParses(t *testing.T) {
	for _, name := range commands.Names() {
		r := commands.Lookup(name)
		if err := r.Parse([]byte(words[name])); err != nil {
			t.Errorf("%s %s: %v", name, words[name], err)
		}
		if anything(name) {
			continue
		}
		bad := []string{words[name] + " )", words[name] + " \x00\xff", words[name] + strings.Repeat(" (", 60)}
		if words[name] != "" && name != "ID" {
			bad = append(bad, "", " ", "{99}")
		}
		for _, args := range bad {
			if err := r.Parse([]byte(args)); err == nil {
				t.Errorf("%s %q was taken", name, args)
			}
		}
	}
}

func TestCapabilities(t *testing.T) {
	const want = "IMAP4rev1 LITERAL+ ID ENABLE IDLE CREATE-SPECIAL-USE CHILDREN SPECIAL-USE NAMESPACE UNSELECT UIDPLUS SORT " +
		"THREAD=ORDEREDSUBJECT THREAD=REFERENCES MOVE"
	if got := strings.Join(new(Config).Capabilities(), " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := strings.Join((&Config{Hidden: []string{"sort", "MOVE"}}).Capabilities(), " "); strings.Contains(got, "SORT") || strings.Contains(got, "MOVE") {
		t.Errorf("hidden words in %s", got)
	}
}

func FuzzRows(f *testing.F) {
	names := commands.Names()
	for i, n := range names {
		f.Add(uint8(i), []byte(words[n]))
	}
	f.Fuzz(func(t *testing.T, i uint8, arguments []byte) {
		commands.Lookup(names[int(i)%len(names)]).Parse(arguments)
	})
}

package imap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/mail"
)

// grammar has the arguments of every command as its row will parse them.
var grammar = map[string]func(*Decoder) any{
	"APPEND": func(d *Decoder) any { return d.Append() }, "CREATE": func(d *Decoder) any { return d.Create() },
	"DELETE": mailboxArg, "SUBSCRIBE": mailboxArg, "UNSUBSCRIBE": mailboxArg, "SELECT": mailboxArg, "EXAMINE": mailboxArg,
	"RENAME": func(d *Decoder) any { from := d.Mailbox(); d.SP(); return from + d.Mailbox() },
	"LIST":   func(d *Decoder) any { return d.ListArgs() }, "LSUB": func(d *Decoder) any { return d.Lsub() },
	"STATUS": func(d *Decoder) any { d.Mailbox(); d.SP(); return d.StatusItems() },
	"ID":     func(d *Decoder) any { return d.ID() },
	"LOGIN":  func(d *Decoder) any { user := d.Text(); d.SP(); return user + d.Text() },
	"ENABLE": words, "AUTHENTICATE": words,
	"SEARCH": func(d *Decoder) any { return d.Search() }, "UID SEARCH": func(d *Decoder) any { return d.Search() },
	"SORT": func(d *Decoder) any { return d.Sort() }, "UID SORT": func(d *Decoder) any { return d.Sort() },
	"THREAD": func(d *Decoder) any { return d.Thread() }, "UID THREAD": func(d *Decoder) any { return d.Thread() },
	"FETCH": seqAnd(func(d *Decoder) any { return d.FetchItems() }), "UID FETCH": seqAnd(func(d *Decoder) any { return d.FetchItems() }),
	"STORE": seqAnd(func(d *Decoder) any { return d.StoreAction() }), "UID STORE": seqAnd(func(d *Decoder) any { return d.StoreAction() }),
	"COPY": seqAnd(mailboxArg), "UID COPY": seqAnd(mailboxArg), "MOVE": seqAnd(mailboxArg), "UID MOVE": seqAnd(mailboxArg),
	"UID EXPUNGE": func(d *Decoder) any { return d.UIDSet() },
}

func mailboxArg(d *Decoder) any { return d.Mailbox() }

func seqAnd(rest func(*Decoder) any) func(*Decoder) any {
	return func(d *Decoder) any { d.SeqSet(); d.SP(); return rest(d) }
}

func words(d *Decoder) any {
	var all []string
	for all = append(all, string(d.Astring())); d.Try(' '); {
		all = append(all, string(d.Astring()))
	}
	return all
}

// parseCommand parses a frame as its command's grammar says. A word that it does
// not know must have no arguments.
func parseCommand(frame []byte) error {
	d := NewDecoder(frame)
	d.Tag()
	d.SP()
	name := d.Word("a command")
	if name == "UID" {
		d.SP()
		name += " " + d.Word("a command")
	}
	if parse := grammar[name]; parse != nil {
		d.SP()
		parse(d)
	}
	d.End()
	return d.Err()
}

// Each file of testdata/clients is what one client sends, with LF line ends.
func TestWhatClientsSend(t *testing.T) {
	files, _ := filepath.Glob("testdata/clients/*.txt")
	if len(files) < 10 {
		t.Fatalf("only %d clients", len(files))
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			src := &pieces{b: []byte(strings.ReplaceAll(string(b), "\n", "\r\n"))}
			for n := 0; ; n++ {
				if err := oneCommand(src); errors.Is(err, errStreamEnd) {
					if n < 5 {
						t.Errorf("only %d commands", n)
					}
					return
				} else if err != nil {
					t.Errorf("command %d: %v", n+1, err)
				}
			}
		})
	}
}

var errStreamEnd = errors.New("the stream ended")

// oneCommand frames and parses one command. A literal that ends a well-formed
// APPEND is its message, and is skipped.
func oneCommand(src Source) error {
	var f Framer
	err := f.Begin(src, 1<<16)
	for err == nil {
		l, pending := f.Literal()
		if !pending {
			return wrap(f.Bytes(), parseCommand(f.Bytes()))
		}
		if parseCommand(f.Bytes()) == nil {
			if err := discard(src, l.Size); err != nil {
				return err
			}
			return f.Skipped(src)
		}
		err = f.Include(src)
	}
	return errStreamEnd
}

func wrap(frame []byte, err error) error {
	if err != nil {
		return fmt.Errorf("%q: %w", frame, err)
	}
	return nil
}

// FuzzCommands: no frame makes a parse function panic, and an error points into it.
func FuzzCommands(f *testing.F) {
	files, _ := filepath.Glob("testdata/clients/*.txt")
	for _, name := range files {
		b, _ := os.ReadFile(name)
		for line := range strings.SplitSeq(string(b), "\n") {
			f.Add([]byte(line))
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var s *SyntaxError
		if err := parseCommand(frame); errors.As(err, &s) && (s.Offset < 0 || s.Offset > len(frame) || s.Expected == "") {
			t.Errorf("%q: %#v", frame, s)
		}
	})
}

func TestFetchItems(t *testing.T) {
	names := func(items []FetchItem) string {
		var out []string
		for _, it := range items {
			name := string(it.AppendName(nil))
			if it.Peek {
				name = "peek " + name
			}
			if it.Partial != nil {
				name += fmt.Sprintf("%d", it.Partial.Count)
			}
			out = append(out, name)
		}
		return strings.Join(out, "|")
	}
	for in, want := range map[string]string{
		"ALL": "FLAGS|INTERNALDATE|RFC822.SIZE|ENVELOPE", "(fast)": "FLAGS|INTERNALDATE|RFC822.SIZE",
		"FULL": "FLAGS|INTERNALDATE|RFC822.SIZE|ENVELOPE|BODY", "body": "BODY", "BODYSTRUCTURE": "BODYSTRUCTURE",
		"(UID  FLAGS RFC822.SIZE )": "UID|FLAGS|RFC822.SIZE", "RFC822": "RFC822", "(RFC822.HEADER RFC822.TEXT)": "RFC822.HEADER|RFC822.TEXT",
		"BODY[]": "BODY[]", "body.peek[]<0.100>": "peek BODY[]<0>100", "BODY[1.2.3]": "BODY[1.2.3]", "BODY[HEADER]": "BODY[HEADER]",
		"BODY[2.MIME]": "BODY[2.MIME]", "BODY[3.text]<7.1>": "BODY[3.TEXT]<7>1", "BODY[1.HEADER]": "BODY[1.HEADER]",
		"BODY.PEEK[HEADER.FIELDS (From \"X-Y\" {2}\r\nTo)]": "peek BODY[HEADER.FIELDS (From X-Y To)]",
		"BODY[1.HEADER.FIELDS.NOT (\"a b\" nil)]":           `BODY[1.HEADER.FIELDS.NOT ("a b" "nil")]`,
		"": "", "()": "", "FOO": "", "BODY[": "", "BODY[]<0.0>": "", "BODY[]<1>": "", "BODY[0]": "", "BODY[1.]": "", "BODY[MIME]": "",
		"BODY[HEADER.FIELDS ()]": "", "BODY[HEADER.FIELDS (\"\")]": "", "BODY[FOO]": "", "BODY[1 ]": "", "(FLAGS": "", "FLAGS UID": "",
		"BODY[]<4294967296.1>": "", "BODY[" + strings.Repeat("1.", 128) + "1]": "", "BODYFOO[]": "", "ENVELOPE[]": "",
	} {
		items, err := read(in, (*Decoder).FetchItems)
		if (err == nil) != (want != "") || err == nil && names(items) != want {
			t.Errorf("%q: %s, %v", in, names(items), err)
		}
	}
}

func TestSearch(t *testing.T) {
	flag := func(f mail.Flags) mail.Query { return mail.HasFlags{Flags: f} }
	not := func(q mail.Query) mail.Query { return mail.Not{Query: q} }
	day := time.Date(2024, 2, 28, 0, 0, 0, 0, time.UTC)
	for in, want := range map[string]mail.Query{
		"ALL": mail.All{}, "ANSWERED": flag(mail.Answered), "UNANSWERED": not(flag(mail.Answered)), "DELETED": flag(mail.Deleted),
		"UNDELETED": not(flag(mail.Deleted)), "DRAFT": flag(mail.Draft), "UNDRAFT": not(flag(mail.Draft)), "flagged": flag(mail.Flagged),
		"UNFLAGGED": not(flag(mail.Flagged)), "SEEN": flag(mail.Seen), "UNSEEN": not(flag(mail.Seen)),
		"NEW": mail.And{mail.IsRecent{}, not(flag(mail.Seen))}, "OLD": not(mail.IsRecent{}), "RECENT": mail.IsRecent{},
		"KEYWORD $x": mail.HasKeyword{Keyword: "$x"}, "UNKEYWORD x": not(mail.HasKeyword{Keyword: "x"}),
		"BEFORE 28-Feb-2024": mail.InDays{Until: day}, "SINCE \"28-Feb-2024\"": mail.InDays{From: day},
		"ON 28-Feb-2024":         mail.InDays{From: day, Until: day.AddDate(0, 0, 1)},
		"SENTBEFORE 28-Feb-2024": mail.InDays{Field: mail.SentDate, Until: day}, "SENTSINCE 28-Feb-2024": mail.InDays{Field: mail.SentDate, From: day},
		"SENTON 28-Feb-2024": mail.InDays{Field: mail.SentDate, From: day, Until: day.AddDate(0, 0, 1)},
		"LARGER 0":           mail.Larger{}, "SMALLER 10000000000": mail.Smaller{Size: 1e10},
		"BCC x": mail.InHeader{Field: "Bcc", Text: "x"}, "CC x": mail.InHeader{Field: "Cc", Text: "x"}, "FROM x": mail.InHeader{Field: "From", Text: "x"},
		"SUBJECT \"a b\"": mail.InHeader{Field: "Subject", Text: "a b"}, "TO {1}\r\nx": mail.InHeader{Field: "To", Text: "x"},
		"BODY \"\xfc\"": mail.InBody{Text: "\xfc"}, "TEXT x]": mail.InText{Text: "x]"}, "HEADER Message-ID \"\"": mail.InHeader{Field: "Message-ID"},
		"UID 1:*": mail.UIDIn{Set: mail.UIDSet{{First: 1}}}, "2,*": mail.SeqIn{Set: mail.SeqSet{{First: 2, Last: 2}, {}}},
		"NOT SEEN": not(flag(mail.Seen)), "OR SEEN (DRAFT ALL)": mail.Or{A: flag(mail.Seen), B: mail.And{flag(mail.Draft), mail.All{}}},
		"SEEN  DRAFT ": mail.And{flag(mail.Seen), flag(mail.Draft)}, "((SEEN))": flag(mail.Seen),
		"": nil, "()": nil, "(SEEN": nil, "SEEN)": nil, "FOO": nil, "FOO x": nil, "NOT": nil, "OR SEEN": nil, "FROM": nil, "HEADER x": nil,
		"KEYWORD \\Seen": nil, "BEFORE x": nil, "LARGER x": nil, "UID x": nil, "0": nil, "SENTFOO 1-Jan-2024": nil, "CHARSET UTF-8": nil,
		strings.Repeat("ALL ", maxKeys+1): nil,
	} {
		s, err := read(in, (*Decoder).Search)
		if (err == nil) != (want != nil) {
			t.Errorf("%.40q: %v", in, err)
		} else if err == nil && !cmp.Equal(s.Query, want) {
			t.Errorf("%q: %s", in, cmp.Diff(want, s.Query))
		}
	}
	if s, err := read("CHARSET \"utf-8\" SEEN", (*Decoder).Search); err != nil || s.Charset != "utf-8" {
		t.Errorf("charset %q, %v", s.Charset, err)
	}
	_, err := read("SEEN FOO", (*Decoder).Search)
	wantError(t, err, 5, "a search key with what belongs to it")
}

func TestSortAndThread(t *testing.T) {
	s, err := read("(REVERSE DATE subject) UTF-8 ALL", (*Decoder).Sort)
	want := Sort{[]mail.SortCriterion{{Key: mail.SortDate, Reverse: true}, {Key: mail.SortSubject}}, Search{"UTF-8", mail.All{}}}
	if err != nil || !cmp.Equal(s, want) {
		t.Errorf("%+v, %v", s, err)
	}
	th, err := read("references us-ascii SEEN", (*Decoder).Thread)
	if err != nil || th.Algorithm != mail.References || th.Search.Charset != "us-ascii" {
		t.Errorf("%+v, %v", th, err)
	}
	for _, bad := range []string{"() UTF-8 ALL", "(REVERSE) UTF-8 ALL", "(FOO) UTF-8 ALL", "(DATE) UTF-8", "DATE UTF-8 ALL"} {
		if _, err := read(bad, (*Decoder).Sort); err == nil {
			t.Errorf("SORT %q is taken", bad)
		}
	}
	for _, bad := range []string{"REFS UTF-8 ALL", "REFERENCES ALL", ""} {
		if _, err := read(bad, (*Decoder).Thread); err == nil {
			t.Errorf("THREAD %q is taken", bad)
		}
	}
}

func TestStore(t *testing.T) {
	for in, want := range map[string]Store{
		`FLAGS (\Seen)`:               {Flags: Flags{System: mail.Seen}},
		`+flags.silent \Seen \Draft `: {Op: mail.AddFlags, Silent: true, Flags: Flags{System: mail.Seen | mail.Draft}},
		`-FLAGS $Junk NonJunk`:        {Op: mail.RemoveFlags, Flags: Flags{Keywords: []string{"$Junk", "NonJunk"}}},
		`FLAGS.SILENT ()`:             {Silent: true},
	} {
		if s, err := read(in, (*Decoder).StoreAction); err != nil || !cmp.Equal(s, want) {
			t.Errorf("%q: %+v, %v", in, s, err)
		}
	}
	for _, bad := range []string{"", "FLAGS", "FLAGS ", "*FLAGS ()", "+ FLAGS ()", "FLAGS.LOUD ()", `FLAGS (\Seen) x`, `FLAGS \*`} {
		if s, err := read(bad, (*Decoder).StoreAction); err == nil {
			t.Errorf("%q is taken: %+v", bad, s)
		}
	}
}

func TestList(t *testing.T) {
	for in, want := range map[string]List{
		`"" *`:                    {Patterns: []string{"*"}},
		`"INBOX." "%"`:            {Reference: "INBOX.", Patterns: []string{"%"}},
		`"" ""`:                   {Patterns: []string{""}},
		`(subscribed) "" ("a" b)`: {Select: []string{"SUBSCRIBED"}, Patterns: []string{"a", "b"}, Extended: true},
		`"" % return (SPECIAL-USE STATUS (MESSAGES UNSEEN))`: {Patterns: []string{"%"}, Extended: true,
			Return: []string{"SPECIAL-USE", "STATUS"}, Status: []StatusItem{StatusMessages, StatusUnseen}},
		`() "" * RETURN ()`: {Patterns: []string{"*"}, Extended: true},
	} {
		if l, err := read(in, (*Decoder).ListArgs); err != nil || !cmp.Equal(l, want) {
			t.Errorf("%q: %+v, %v", in, l, err)
		}
	}
	for _, bad := range []string{``, `""`, `"" `, `"" * FOO`, `"" * RETURN`, `(") "" *`, `"" (`, `"" * RETURN (STATUS)`} {
		if l, err := read(bad, (*Decoder).ListArgs); err == nil {
			t.Errorf("%q is taken: %+v", bad, l)
		}
	}
}

func TestAppendCreateStatusID(t *testing.T) {
	a, err := read("\"Sent\" (\\Seen $x) \" 1-Jan-2024 00:00:00 +0000\" ~{17+}", (*Decoder).Append)
	if err != nil || a.Mailbox != "Sent" || a.Flags.System != mail.Seen || a.Date.Unix() != 1704067200 || a.Literal != (Literal{17, true, true}) {
		t.Errorf("APPEND: %+v, %v", a, err)
	}
	for _, bad := range []string{"Sent", "Sent x", "Sent () x", "Sent {x}", "Sent \"x\" {1}", "Sent {1", ""} {
		if _, err := read(bad, (*Decoder).Append); err == nil {
			t.Errorf("APPEND %q is taken", bad)
		}
	}
	c, err := read(`Box (USE (\Sent \Archive))`, (*Decoder).Create)
	if err != nil || !cmp.Equal(c, Create{"Box", []string{`\Sent`, `\Archive`}}) {
		t.Errorf("CREATE: %+v, %v", c, err)
	}
	items, err := read("(UNSEEN messages)", (*Decoder).StatusItems)
	if err != nil || !cmp.Equal(items, []StatusItem{StatusUnseen, StatusMessages}) {
		t.Errorf("STATUS: %v, %v", items, err)
	}
	if _, err := read("(FOO)", (*Decoder).StatusItems); err == nil {
		t.Error("STATUS (FOO) is taken")
	}
	id, err := read("(\"name\" \"a\x01b\" \"os\" NIL)", (*Decoder).ID)
	if err != nil || !cmp.Equal(id, [][2]string{{"name", "a.b"}, {"os", ""}}) {
		t.Errorf("ID: %q, %v", id, err)
	}
	for _, bad := range []string{`("a")`, `"a" "b"`, `(a b)`, `(` + strings.Repeat(`"a" NIL `, 31) + `)`} {
		if _, err := read(bad, (*Decoder).ID); err == nil {
			t.Errorf("ID %.30q is taken", bad)
		}
	}
}

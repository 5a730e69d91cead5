package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"postrider/account"
	"postrider/config"
	"postrider/index"
	"postrider/mail"
	"postrider/mailbox"
	"postrider/vfs"
)

type indexShow struct {
	targets
	tail int
	uid  uint32
	out  io.Writer
}

func newIndexShow() *cobra.Command {
	var s indexShow
	c := &cobra.Command{
		Use: "show [--folder NAME] [--uid N] [--tail N] [--json] DIR...", Short: "Print what the files of mailboxes say",
		Long: "show prints what journal, index, cache and the account's file say. It changes nothing.\n" +
			"Its status is 1 if one of the files cannot be read, or if there is no message --uid.",
		DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, args []string) error {
			s.out = c.OutOrStdout()
			return s.run(c, args, func(*config.Config) (work, error) {
				w := work{s.account, s.mailbox}
				if s.uid != 0 {
					w.perAccount = nil
				}
				return w, nil
			})
		},
	}
	s.flags(c)
	c.Flags().IntVar(&s.tail, "tail", 0, "print so many of the journal's last batches")
	c.Flags().Uint32Var(&s.uid, "uid", 0, "print what is known of one message")
	return c
}

// shown is a mailbox as JSON has it.
type shown struct {
	Account     string            `json:"account"`
	Mailbox     string            `json:"mailbox"`
	Opened      bool              `json:"opened"`
	UIDValidity mail.UIDValidity  `json:"uidvalidity,omitempty"`
	UIDNext     mail.UID          `json:"uidnext,omitempty"`
	ModSeq      mail.ModSeq       `json:"highestmodseq,omitempty"`
	Messages    int               `json:"messages"`
	Unseen      int               `json:"unseen"`
	Deleted     int               `json:"deleted"`
	Recent      int               `json:"recent"`
	Octets      int64             `json:"octets"`
	Unsized     int               `json:"unsized"`
	Keywords    []string          `json:"keywords,omitempty"`
	Journal     *shownJournal     `json:"journal,omitempty"`
	Index       *shownIndex       `json:"index,omitempty"`
	Cache       *shownCache       `json:"cache,omitempty"`
	NewTime     *time.Time        `json:"new_mtime,omitempty"`
	CurTime     *time.Time        `json:"cur_mtime,omitempty"`
	Marks       map[string]string `json:"marks,omitempty"`
	Vanished    []shownVanished   `json:"vanished,omitempty"`
	Forgotten   mail.ModSeq       `json:"vanished_forgotten_upto,omitempty"`
	Tail        []shownBatch      `json:"tail,omitempty"`
	Message     *shownMessage     `json:"message,omitempty"`
}

type shownJournal struct {
	Size       int64     `json:"size"`
	End        int64     `json:"end"`
	Generation uint64    `json:"generation"`
	Made       time.Time `json:"made"`
	Batches    int       `json:"batches_read"`
	Torn       bool      `json:"torn,omitempty"`
	Copied     bool      `json:"copied,omitempty"`
	Gaps       int       `json:"gaps,omitempty"`
	Wrong      string    `json:"wrong,omitempty"`
}

type shownIndex struct {
	Size       int64  `json:"size"`
	Generation uint64 `json:"generation"`
	At         int64  `json:"at"`
	Used       bool   `json:"used"`
	Wrong      string `json:"wrong,omitempty"`
}

type shownCache struct {
	Size     int64  `json:"size"`
	Messages int    `json:"messages"`
	Wrong    string `json:"wrong,omitempty"`
}

type shownVanished struct {
	UIDs   string      `json:"uids"`
	ModSeq mail.ModSeq `json:"modseq"`
	At     time.Time   `json:"at"`
}

type shownBatch struct {
	End     int64       `json:"end"`
	ModSeq  mail.ModSeq `json:"modseq"`
	At      time.Time   `json:"at"`
	Records []string    `json:"records"`
}

// lastVanished is how many entries of what vanished are printed.
const lastVanished = 10

func (s *indexShow) mailbox(_ context.Context, p *place) (int, error) {
	in, err := mailbox.Inspect(p.folder, mailbox.InspectOptions{Tail: s.tail})
	if errors.Is(err, mailbox.ErrNoIndex) {
		in, err = &mailbox.Inspection{}, nil
	}
	if err != nil {
		return statusBlind, err
	}
	v := shownOf(p, in)
	status := statusFine
	if wrongFiles(in) {
		status = statusWrong
	}
	if s.uid != 0 && in.State != nil {
		if v.Message, err = messageOf(p, in, mail.UID(s.uid)); err != nil {
			return statusBlind, err
		}
	}
	if s.uid != 0 && (v.Message == nil || v.Message.Gone) {
		status = statusWrong
	}
	if s.json {
		return status, json.NewEncoder(s.out).Encode(v)
	}
	v.print(s.out, in)
	return status, nil
}

func wrongFiles(in *mailbox.Inspection) bool {
	j, x, c := in.Journal, in.Snapshot, in.Cache
	if j == nil {
		return x != nil || c != nil
	}
	return j.Err != nil || len(j.Gaps) > 0 || x != nil && x.Err != nil || c != nil && c.Err != nil
}

func shownOf(p *place, in *mailbox.Inspection) *shown {
	v := &shown{Account: p.root, Mailbox: p.shown, Opened: in.Journal != nil, Marks: in.Marks, Forgotten: in.Forgotten}
	if st := in.State; st != nil {
		v.UIDValidity, v.UIDNext, v.ModSeq = st.UIDValidity(), st.UIDNext(), st.ModSeq()
		v.Messages, v.Unseen, v.Deleted, v.Recent = st.Len(), st.Unseen(), st.Deleted(), st.Unclaimed()
		v.Octets, v.Unsized = st.Size()
		v.Keywords = st.Keywords()
	}
	if j := in.Journal; j != nil {
		v.Journal = &shownJournal{j.Size, j.End, j.Generation, j.Made, j.Batches, j.Torn, j.Copied, len(j.Gaps), textOf(j.Err)}
	}
	if x := in.Snapshot; x != nil {
		v.Index = &shownIndex{x.Size, x.Generation, x.At, x.Fits, textOf(x.Err)}
	}
	if c := in.Cache; c != nil {
		v.Cache = &shownCache{c.Size, c.Messages, textOf(c.Err)}
	}
	if in.Times.NewKnown {
		v.NewTime = &in.Times.New
	}
	if in.Times.CurKnown {
		v.CurTime = &in.Times.Cur
	}
	for _, g := range in.Vanished[max(0, len(in.Vanished)-lastVanished):] {
		v.Vanished = append(v.Vanished, shownVanished{g.UIDs.String(), g.ModSeq, g.At.Time()})
	}
	for _, b := range in.Tail {
		v.Tail = append(v.Tail, batchOf(&b))
	}
	return v
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// print prints it for people.
func (v *shown) print(out io.Writer, in *mailbox.Inspection) {
	fmt.Fprintf(out, "%s %s\n", v.Account, v.Mailbox)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(out, "  %-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	switch {
	case v.Message != nil:
		v.Message.print(line)
		return
	case in.Journal == nil && in.Snapshot == nil:
		line("", "%v", mailbox.ErrNoIndex)
		return
	case in.State != nil:
		line("numbers", "UIDVALIDITY %d, UIDNEXT %d, HIGHESTMODSEQ %d", v.UIDValidity, v.UIDNext, v.ModSeq)
		line("messages", "%d: %d unseen, %d deleted, %d recent; %d octets%s", v.Messages, v.Unseen, v.Deleted, v.Recent, v.Octets, unsized(v.Unsized))
		line("keywords", "%s", orNone(strings.Join(v.Keywords, " ")))
	}
	v.printFiles(line)
	line("seen", "new %s, cur %s", mtime(v.NewTime), mtime(v.CurTime))
	for _, name := range slices.Sorted(maps.Keys(v.Marks)) {
		line("mark", "%s = %.100q", name, v.Marks[name])
	}
	if v.Forgotten > 0 {
		line("vanished", "up to mod-sequence %d it is not remembered in full", v.Forgotten)
	}
	for _, g := range v.Vanished {
		line("vanished", "%s, mod-sequence %d, %s", g.UIDs, g.ModSeq, when(g.At))
	}
	for _, b := range v.Tail {
		line("batch", "to byte %d, mod-sequence %d, %s", b.End, b.ModSeq, when(b.At))
		for _, r := range b.Records {
			line("", "  %s", r)
		}
	}
}

func (v *shown) printFiles(line func(name, format string, args ...any)) {
	if j := v.Journal; j == nil {
		line("journal", "MISSING")
	} else {
		line("journal", "%d bytes, generation %d, made %s, %d batches read", j.Size, j.Generation, when(j.Made), j.Batches)
		for _, n := range []struct {
			yes  bool
			text string
		}{
			{j.Wrong != "", "WRONG: " + j.Wrong},
			{j.Gaps > 0, fmt.Sprintf("WRONG: %d parts that were on disk once cannot be read", j.Gaps)},
			{j.Torn, fmt.Sprintf("an unfinished batch behind byte %d, which is cut off", j.End)},
			{j.Copied, "copied or restored: numbers go on 1,000,000 above at the next opening"},
		} {
			if n.yes {
				line("", "%s", n.text)
			}
		}
	}
	switch x := v.Index; {
	case x == nil:
		line("index", "none")
	case x.Wrong != "":
		line("index", "WRONG: %s", x.Wrong)
	case !x.Used:
		line("index", "%d bytes, of another journal (generation %d): not used", x.Size, x.Generation)
	default:
		line("index", "%d bytes, stands at byte %d of the journal", x.Size, x.At)
	}
	switch c := v.Cache; {
	case c == nil:
		line("cache", "none")
	case c.Wrong != "":
		line("cache", "%d bytes, something of %d messages; WRONG: %s", c.Size, c.Messages, c.Wrong)
	default:
		line("cache", "%d bytes, something of %d messages", c.Size, c.Messages)
	}
}

func unsized(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", and %d whose size is not known yet", n)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func mtime(t *time.Time) string {
	if t == nil {
		return "unknown (it is read at the next opening)"
	}
	return t.Local().Format("2006-01-02 15:04:05.000000000 -0700")
}

func when(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.Local().Format("2006-01-02 15:04:05 -0700")
}

// shownAccount is an account's file as JSON has it.
type shownAccount struct {
	Account     string                  `json:"account"`
	UIDValidity mail.UIDValidity        `json:"highest_uidvalidity"`
	Damaged     bool                    `json:"damaged,omitempty"`
	Mailboxes   map[string]shownAttache `json:"mailboxes"`
}

// shownAttache is what an account's file says of a mailbox.
type shownAttache struct {
	ID          string     `json:"id,omitempty"`
	Marks       shownMarks `json:"not_beyond,omitzero"`
	SpecialUses []string   `json:"special_uses,omitempty"`
}

// shownMarks are index.Marks.
type shownMarks struct {
	UIDValidity mail.UIDValidity `json:"uidvalidity"`
	UIDNext     mail.UID         `json:"uidnext"`
	ModSeq      mail.ModSeq      `json:"modseq"`
}

func (s *indexShow) account(_ context.Context, root string, sight *account.Sight) (int, error) {
	a, err := readAccount(sight.Root())
	if err != nil {
		return statusBlind, err
	}
	v := shownAccount{root, a.UIDValidity, a.Damaged, map[string]shownAttache{}}
	for n, m := range a.Mailboxes {
		at := shownAttache{Marks: shownMarks(m.Marks), SpecialUses: m.SpecialUses}
		if m.ID != (index.MailboxID{}) {
			at.ID = fmt.Sprintf("%x", m.ID)
		}
		v.Mailboxes[string(n)] = at
	}
	status := statusFine
	if a.Damaged {
		status = statusWrong
	}
	if s.json {
		return status, json.NewEncoder(s.out).Encode(v)
	}
	fmt.Fprintf(s.out, "%s\n  %-10s highest UIDVALIDITY %d\n", root, "account", v.UIDValidity)
	if a.Damaged {
		fmt.Fprintf(s.out, "  %-10s WRONG: the file cannot be read to its end\n", "")
	}
	for _, n := range slices.Sorted(maps.Keys(v.Mailboxes)) {
		m := v.Mailboxes[n]
		fmt.Fprintf(s.out, "  %-10s %q: uses %s, id %s, UIDVALIDITY %d, UIDNEXT not beyond %d, mod-sequence not beyond %d\n", "", n,
			orNone(strings.Join(m.SpecialUses, " ")), orNone(m.ID), m.Marks.UIDValidity, m.Marks.UIDNext, m.Marks.ModSeq)
	}
	return status, nil
}

// readAccount reads the account file of a root; one that is missing holds nothing.
func readAccount(root vfs.Dir) (index.Account, error) {
	dir, err := root.OpenDir("postrider")
	if errors.Is(err, errNotExist) {
		return index.Account{}, nil
	}
	if err != nil {
		return index.Account{}, err
	}
	defer dir.Close()
	return index.ReadAccount(dir)
}

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"postrider/account"
	"postrider/maildir"
)

// reporter returns what writes the report of one account.
func reporter(asJSON bool, out io.Writer, dryRun bool) func(outcome) error {
	if asJSON {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		return func(o outcome) error { return e.Encode(jsonOf(o, dryRun)) }
	}
	return func(o outcome) error {
		w := bufio.NewWriter(out)
		text(w, o, dryRun)
		return w.Flush()
	}
}

func encodingName(e maildir.Encoding) string {
	if e == maildir.ModifiedUTF7 {
		return "utf7"
	}
	return "utf8"
}

// text writes a report for people.
func text(w io.Writer, o outcome, dryRun bool) {
	fmt.Fprintln(w, o.root)
	for _, e := range o.Errors {
		fmt.Fprintln(w, "  error:", e)
	}
	s := o.survey
	if s == nil {
		return
	}
	all, kept := s.Messages()
	fmt.Fprintf(w, "  folder names in %s; %d folders, %d messages", encodingName(s.Encoding), len(s.Folders), all)
	switch from := s.Software(); {
	case from == "":
		fmt.Fprintln(w, "; there is nothing to take over")
	case dryRun || len(o.Errors) > 0:
		fmt.Fprintf(w, ", of which %d would keep the UIDs of %s\n", kept, from)
	default:
		fmt.Fprintf(w, ", of which %d kept the UIDs of %s\n", kept, from)
	}
	for i := range s.Folders {
		textFolder(w, &s.Folders[i])
	}
	if s.SubscriptionsFrom != "" {
		fmt.Fprintf(w, "  %d subscriptions, from %s\n", s.Subscriptions, s.SubscriptionsFrom)
	}
	if len(s.Files) > 0 {
		fmt.Fprintf(w, "  also here, and left as they are: %s\n", strings.Join(s.Files, ", "))
	}
	for _, odd := range s.Odd {
		fmt.Fprintln(w, "  odd:", odd)
	}
}

func textFolder(w io.Writer, f *account.FolderSurvey) {
	name := string(f.Name)
	if name == "" {
		name = fmt.Sprintf("%q", f.Dir)
	}
	fmt.Fprintf(w, "  %s: %d messages", name, f.Messages)
	switch r := f.Used(); {
	case f.Ours:
		fmt.Fprint(w, "; Postrider has it already")
	case r == nil:
		fmt.Fprint(w, "; UIDs begin anew")
	default:
		fmt.Fprintf(w, "; %s (%s, version %d): UIDVALIDITY %d, UIDNEXT %d, %d with UID, %d without, %d gone",
			r.Software, r.File, r.Version, r.UIDValidity, r.UIDNext, f.Kept, f.New, f.Gone)
		if len(f.Keywords) > 0 {
			fmt.Fprintf(w, "; keywords: %s", strings.Join(f.Keywords, " "))
		}
		for _, other := range f.Records[1:] {
			fmt.Fprintf(w, "; %s is there too, and not used", other.File)
		}
	}
	fmt.Fprintln(w)
	if len(f.Files) > 0 {
		fmt.Fprintf(w, "    also here, and left as they are: %s\n", strings.Join(f.Files, ", "))
	}
	for _, odd := range f.Odd {
		fmt.Fprintln(w, "    odd:", odd)
	}
}

// The report as JSON. docs/operations.md names the fields.
type jsonAccount struct {
	Maildir       string       `json:"maildir"`
	User          string       `json:"user"`
	DryRun        bool         `json:"dry_run"`
	Encoding      string       `json:"encoding,omitempty"`
	Messages      int          `json:"messages"`
	Kept          int          `json:"kept"`
	Subscriptions int          `json:"subscriptions"`
	From          string       `json:"subscriptions_from,omitempty"`
	Folders       []jsonFolder `json:"folders"`
	Files         []string     `json:"files,omitempty"`
	Odd           []string     `json:"odd,omitempty"`
	Errors        []string     `json:"errors,omitempty"`
}

type jsonFolder struct {
	Name     string       `json:"name"`
	Dir      string       `json:"dir"`
	Ours     bool         `json:"ours"`
	Messages int          `json:"messages"`
	Kept     int          `json:"kept"`
	New      int          `json:"new"`
	Gone     int          `json:"gone"`
	Keywords []string     `json:"keywords,omitempty"`
	Records  []jsonRecord `json:"records,omitempty"`
	Files    []string     `json:"files,omitempty"`
	Odd      []string     `json:"odd,omitempty"`
}

type jsonRecord struct {
	Software    string   `json:"software"`
	File        string   `json:"file"`
	Version     int      `json:"version"`
	UIDValidity uint32   `json:"uidvalidity"`
	UIDNext     uint32   `json:"uidnext"`
	Listed      int      `json:"listed"`
	Damaged     int      `json:"damaged"`
	Keywords    []string `json:"keywords,omitempty"`
	Refused     string   `json:"refused,omitempty"`
	Used        bool     `json:"used"`
}

func jsonOf(o outcome, dryRun bool) jsonAccount {
	j := jsonAccount{Maildir: o.root, User: o.user, DryRun: dryRun, Errors: o.Errors, Folders: []jsonFolder{}}
	s := o.survey
	if s == nil {
		return j
	}
	j.Encoding, j.Subscriptions, j.From, j.Files, j.Odd = encodingName(s.Encoding), s.Subscriptions, s.SubscriptionsFrom, s.Files, s.Odd
	j.Messages, j.Kept = s.Messages()
	for i := range s.Folders {
		f := &s.Folders[i]
		out := jsonFolder{
			Name: string(f.Name), Dir: f.Dir, Ours: f.Ours, Messages: f.Messages, Kept: f.Kept, New: f.New, Gone: f.Gone,
			Keywords: f.Keywords, Files: f.Files, Odd: f.Odd,
		}
		for _, r := range f.Records {
			rec := jsonRecord{
				Software: r.Software, File: r.File, Version: r.Version, UIDValidity: uint32(r.UIDValidity), UIDNext: uint32(r.UIDNext),
				Listed: r.Listed, Damaged: r.Damaged, Keywords: r.Keywords, Used: r == f.Used(),
			}
			if r.Refused != nil {
				rec.Refused = r.Refused.Error()
			}
			out.Records = append(out.Records, rec)
		}
		j.Folders = append(j.Folders, out)
	}
	return j
}

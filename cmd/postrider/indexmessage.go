package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"postrider/index"
	"postrider/mail"
	"postrider/mailbox"
)

// errNotExist is short for what a missing file gives.
var errNotExist = fs.ErrNotExist

// shownMessage is what is known of one message.
type shownMessage struct {
	UID        mail.UID       `json:"uid"`
	Gone       bool           `json:"gone,omitempty"` // it is not, or no more, in the mailbox
	Text       string         `json:"text,omitempty"` // for people: why it is gone
	Files      []string       `json:"files"`
	Recorded   string         `json:"recorded,omitempty"` // the file as the journal has it
	Flags      string         `json:"flags,omitempty"`
	Keywords   []string       `json:"keywords,omitempty"`
	ModSeq     mail.ModSeq    `json:"modseq,omitempty"`
	Size       int64          `json:"size"`
	CRLFSize   int64          `json:"size_crlf"`
	Internal   time.Time      `json:"internaldate"`
	Saved      time.Time      `json:"savedate"`
	Cached     map[string]int `json:"cached,omitempty"` // octets by field
	CacheWrong string         `json:"cache_wrong,omitempty"`
}

func messageOf(p *place, in *mailbox.Inspection, uid mail.UID) (*shownMessage, error) {
	v := &shownMessage{UID: uid}
	m, ok := in.State.Lookup(uid)
	if !ok {
		v.Gone, v.Text = true, goneText(in, uid)
		return v, nil
	}
	files, err := p.folder.Find(m.Base)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		v.Files = append(v.Files, inFolder(f.New, f.Name))
	}
	v.Recorded, v.Flags, v.Keywords, v.ModSeq = inFolder(m.New, m.Base+m.Info), m.Flags.String(), in.State.KeywordsOf(m), m.ModSeq
	v.Size, v.CRLFSize, v.Internal, v.Saved = m.Size, m.CRLFSize, m.Internal, m.Saved
	dir, err := p.folder.Dir().OpenDir("postrider")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	c, err := index.LookAtCache(dir, in.State.UIDValidity())
	if errors.Is(err, errNotExist) {
		return v, nil
	}
	if err != nil {
		v.CacheWrong = err.Error()
		return v, nil
	}
	defer c.Close()
	entries, err := c.Entries(uid)
	v.CacheWrong = textOf(err)
	v.Cached = make(map[string]int, len(entries))
	for _, e := range entries {
		v.Cached[fieldName(e.Field)] = len(e.Bytes)
	}
	return v, nil
}

func inFolder(isNew bool, name string) string {
	if isNew {
		return "new/" + name
	}
	return "cur/" + name
}

func fieldName(f index.Field) string {
	names := [...]string{index.FieldEnvelope: "ENVELOPE", index.FieldBody: "BODY", index.FieldBodyStructure: "BODYSTRUCTURE",
		index.FieldParts: "parts", index.FieldHeaders: "headers", index.FieldPreview: "PREVIEW"}
	if int(f) < len(names) && names[f] != "" {
		return names[f]
	}
	return fmt.Sprintf("field-%d", f)
}

// goneText says what became of a UID that is not there.
func goneText(in *mailbox.Inspection, uid mail.UID) string {
	for _, g := range in.Vanished {
		if g.UIDs.Contains(uid, 0) {
			return fmt.Sprintf("vanished %s, mod-sequence %d", when(g.At.Time()), g.ModSeq)
		}
	}
	if uid >= in.State.UIDNext() {
		return fmt.Sprintf("not given yet: UIDNEXT is %d", in.State.UIDNext())
	}
	return "no message has it; it vanished so long ago that it is not remembered, or was never given"
}

func (v *shownMessage) print(line func(name, format string, args ...any)) {
	if v.Gone {
		line("UID", "%d: %s", v.UID, v.Text)
		return
	}
	line("UID", "%d", v.UID)
	line("file", "%s", orNone(strings.Join(v.Files, ", ")))
	if len(v.Files) != 1 || v.Files[0] != v.Recorded {
		line("", "the journal has it as %s", v.Recorded)
	}
	line("flags", "%s", orNone(v.Flags))
	line("keywords", "%s", orNone(strings.Join(v.Keywords, " ")))
	line("modseq", "%d", v.ModSeq)
	line("size", "%s in the file, %s as served", octets(v.Size), octets(v.CRLFSize))
	line("dates", "internal %s, saved here %s", when(v.Internal), when(v.Saved))
	cached := ""
	for f := index.FieldEnvelope; f <= index.FieldPreview; f++ {
		if n, ok := v.Cached[fieldName(f)]; ok {
			cached += fmt.Sprintf(" %s %d", fieldName(f), n)
		}
	}
	line("cached", "%s", orNone(strings.TrimSpace(cached)))
	if v.CacheWrong != "" {
		line("", "WRONG: %s", v.CacheWrong)
	}
}

func octets(n int64) string {
	if n < 0 {
		return "unknown"
	}
	return fmt.Sprint(n)
}

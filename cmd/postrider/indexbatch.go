package main

import (
	"fmt"
	"strings"

	"postrider/index"
	"postrider/mailbox"
)

// maxRecords bounds how many records of a batch are printed.
const maxRecords = 20

func batchOf(b *mailbox.Batch) shownBatch {
	v := shownBatch{End: b.End, ModSeq: b.ModSeq, At: b.At.Time(), Records: []string{}}
	for i, r := range b.Records {
		if i == maxRecords {
			v.Records = append(v.Records, fmt.Sprintf("and %d more", len(b.Records)-i))
			break
		}
		v.Records = append(v.Records, recordText(r))
	}
	return v
}

// recordText is a record in words.
func recordText(r index.Record) string {
	switch r := r.(type) {
	case index.Appended:
		return fmt.Sprintf("appended UID %d, flags (%v), keyword set %d, sizes %d and %d, as %s", r.UID, r.Flags, r.Keywords, r.Size, r.CRLFSize, inFolder(r.New, r.Base+r.Info))
	case index.FlagsSet:
		return fmt.Sprintf("flags of UID %d are (%v), %s", r.UID, r.Flags, inFolder(r.New, "…"+r.Info))
	case index.Renamed:
		return fmt.Sprintf("the file of UID %d is %s", r.UID, inFolder(r.New, "…"+r.Info))
	case index.KeywordsSet:
		return fmt.Sprintf("UID %d has keyword set %d", r.UID, r.Set)
	case index.KeywordNamed:
		return fmt.Sprintf("keyword %d is %q", r.ID, r.Name)
	case index.SetNamed:
		return fmt.Sprintf("keyword set %d is %v", r.ID, r.Keywords)
	case index.Vanished:
		return fmt.Sprintf("vanished %v", r.UIDs)
	case index.VanishedForgotten:
		return fmt.Sprintf("what vanished up to mod-sequence %d is forgotten", r.UpTo)
	case index.ValiditySet:
		return fmt.Sprintf("UIDVALIDITY is %d, UIDNEXT at least %d", r.UIDValidity, r.UIDNext)
	case index.RecentClaimed:
		return fmt.Sprintf("\\Recent is claimed up to UID %d", r.UpTo)
	case index.Known:
		return fmt.Sprintf("UID %d: sizes %d and %d, internal date %s", r.UID, r.Size, r.CRLFSize, when(r.Internal.Time()))
	case index.Times:
		return "seen: " + timesText(r)
	case index.Mark:
		return fmt.Sprintf("mark %s = %.100q", r.Name, r.Value)
	case index.Unknown:
		return fmt.Sprintf("a record of kind %#x, %d bytes", r.Kind, len(r.Data))
	}
	return fmt.Sprintf("%T", r)
}

func timesText(t index.Times) string {
	text := ""
	if t.NewKnown {
		text += " new as of " + mtime(&t.New)
	}
	if t.CurKnown {
		text += " cur as of " + mtime(&t.Cur)
	}
	return orNone(strings.TrimSpace(text))
}

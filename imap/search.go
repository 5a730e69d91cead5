package imap

import (
	"strings"
	"time"

	"postrider/mail"
)

// maxKeys bounds the keys of one search.
const maxKeys = 10000

// Search is a search program as a client sent it. Its texts are bytes in Charset,
// which is "" where none was named: US-ASCII.
type Search struct {
	Charset string
	Query   mail.Query
}

// Search reads a search program with its charset.
//
//	search = ["CHARSET" SP astring SP] search-key *(SP search-key)
func (d *Decoder) Search() Search {
	var s Search
	if d.TryWord("CHARSET") {
		d.SP()
		s.Charset = string(d.Astring())
		d.SP()
	}
	s.Query = d.searchKeys(false)
	return s
}

// searchKeys reads keys up to the end, or to a closing parenthesis.
func (d *Decoder) searchKeys(inList bool) mail.Query {
	var keys mail.And
	for d.err == nil {
		keys = append(keys, d.searchKey())
		if len(keys) > maxKeys {
			d.Fail("fewer search keys")
		}
		if d.AtEnd() || inList && d.Peek() == ')' {
			break
		}
		d.SP()
		if d.AtEnd() {
			break
		}
	}
	if len(keys) == 1 {
		return keys[0]
	}
	return keys
}

// searchKey reads one key.
//
//	search-key = ... / sequence-set / "(" search-key *(SP search-key) ")"
func (d *Decoder) searchKey() (q mail.Query) {
	q = mail.All{}
	switch {
	case d.SetNext():
		return mail.SeqIn{Set: d.SeqSet()}
	case d.Try('('):
		d.nest(&d.depth, maxNesting, func() { q = d.searchKeys(true) })
		d.Expect(')')
		return q
	}
	start := d.pos
	word := d.Word("a search key")
	if k, ok := simpleKeys[word]; ok {
		return k
	}
	if d.err == nil && d.Peek() != ' ' {
		d.failAt(start, "a search key with what belongs to it")
	}
	d.SP()
	ok := false
	d.nest(&d.chain, maxChain, func() { q, ok = d.keyWithArgument(word) })
	if !ok && d.err == nil || q == nil {
		d.failAt(start, "a search key")
		return mail.All{}
	}
	return q
}

var simpleKeys = map[string]mail.Query{
	"ALL":        mail.All{},
	"ANSWERED":   mail.HasFlags{Flags: mail.Answered},
	"DELETED":    mail.HasFlags{Flags: mail.Deleted},
	"DRAFT":      mail.HasFlags{Flags: mail.Draft},
	"FLAGGED":    mail.HasFlags{Flags: mail.Flagged},
	"SEEN":       mail.HasFlags{Flags: mail.Seen},
	"UNANSWERED": mail.Not{Query: mail.HasFlags{Flags: mail.Answered}},
	"UNDELETED":  mail.Not{Query: mail.HasFlags{Flags: mail.Deleted}},
	"UNDRAFT":    mail.Not{Query: mail.HasFlags{Flags: mail.Draft}},
	"UNFLAGGED":  mail.Not{Query: mail.HasFlags{Flags: mail.Flagged}},
	"UNSEEN":     mail.Not{Query: mail.HasFlags{Flags: mail.Seen}},
	"NEW":        mail.And{mail.IsRecent{}, mail.Not{Query: mail.HasFlags{Flags: mail.Seen}}},
	"OLD":        mail.Not{Query: mail.IsRecent{}},
	"RECENT":     mail.IsRecent{},
}

// keyWithArgument reads what follows the word and a blank; ok is false for a word
// that is no key.
func (d *Decoder) keyWithArgument(word string) (q mail.Query, ok bool) {
	if field, ok := headerKeys[word]; ok {
		return mail.InHeader{Field: field, Text: string(d.Astring())}, true
	}
	switch word {
	case "BODY":
		return mail.InBody{Text: string(d.Astring())}, true
	case "TEXT":
		return mail.InText{Text: string(d.Astring())}, true
	case "HEADER":
		field := string(d.Astring())
		d.SP()
		return mail.InHeader{Field: field, Text: string(d.Astring())}, true
	case "KEYWORD":
		return mail.HasKeyword{Keyword: d.Atom()}, true
	case "UNKEYWORD":
		return mail.Not{Query: mail.HasKeyword{Keyword: d.Atom()}}, true
	case "LARGER":
		return mail.Larger{Size: uint64(d.Number64())}, true
	case "SMALLER":
		return mail.Smaller{Size: uint64(d.Number64())}, true
	case "UID":
		return mail.UIDIn{Set: d.UIDSet()}, true
	case "NOT":
		return mail.Not{Query: d.searchKey()}, true
	case "OR":
		a := d.searchKey()
		d.SP()
		return mail.Or{A: a, B: d.searchKey()}, true
	}
	return d.dateKey(word)
}

var headerKeys = map[string]string{"BCC": "Bcc", "CC": "Cc", "FROM": "From", "SUBJECT": "Subject", "TO": "To"}

// dateKey reads the date of BEFORE, ON, SINCE and their SENT forms.
func (d *Decoder) dateKey(word string) (mail.Query, bool) {
	field := mail.InternalDate
	if rest, ok := strings.CutPrefix(word, "SENT"); ok {
		field, word = mail.SentDate, rest
	}
	if word != "BEFORE" && word != "ON" && word != "SINCE" {
		return nil, false
	}
	q := mail.InDays{Field: field}
	switch day := d.Date(); word {
	case "BEFORE":
		q.Until = day
	case "SINCE":
		q.From = day
	default:
		q.From, q.Until = day, day.Add(24*time.Hour)
	}
	return q, true
}

// Sort is a SORT command (RFC 5256 3).
type Sort struct {
	Criteria []mail.SortCriterion
	Search   Search
}

var sortKeys = map[string]mail.SortKey{
	"ARRIVAL": mail.SortArrival, "CC": mail.SortCc, "DATE": mail.SortDate, "FROM": mail.SortFrom,
	"SIZE": mail.SortSize, "SUBJECT": mail.SortSubject, "TO": mail.SortTo,
}

// Sort reads the arguments of SORT.
//
//	sort          = "SORT" SP sort-criteria SP search-criteria
//	sort-criteria = "(" sort-criterion *(SP sort-criterion) ")"
//	sort-criterion = ["REVERSE" SP] sort-key
func (d *Decoder) Sort() Sort {
	var s Sort
	d.List(func() {
		c := mail.SortCriterion{}
		if d.TryWord("REVERSE") {
			c.Reverse = true
			d.SP()
		}
		start := d.pos
		key, ok := sortKeys[d.Word("a sort key")]
		if !ok || len(s.Criteria) >= maxKeys {
			d.failAt(start, "a sort key")
		}
		c.Key = key
		s.Criteria = append(s.Criteria, c)
	})
	if len(s.Criteria) == 0 {
		d.Fail("a sort key")
	}
	d.SP()
	s.Search = d.charsetAndKeys()
	return s
}

// Thread is a THREAD command (RFC 5256 3).
type Thread struct {
	Algorithm mail.ThreadAlgorithm
	Search    Search
}

// Thread reads the arguments of THREAD.
//
//	thread = "THREAD" SP thread-alg SP search-criteria
func (d *Decoder) Thread() Thread {
	var t Thread
	start := d.pos
	switch d.Word("a threading algorithm") {
	case "ORDEREDSUBJECT":
		t.Algorithm = mail.OrderedSubject
	case "REFERENCES":
		t.Algorithm = mail.References
	default:
		d.failAt(start, "ORDEREDSUBJECT or REFERENCES")
	}
	d.SP()
	t.Search = d.charsetAndKeys()
	return t
}

// charsetAndKeys reads the search criteria of RFC 5256.
//
//	search-criteria = charset 1*(SP search-key)
func (d *Decoder) charsetAndKeys() Search {
	var s Search
	s.Charset = string(d.Astring())
	d.SP()
	s.Query = d.searchKeys(false)
	return s
}

package search

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"postrider/mail"
)

// truth is what a made-up message says, before it is encoded.
type truth struct {
	subject, from, body string
	noSubject           bool
	sent                time.Time // zero: there is no Date
	internal            time.Time
	flags               mail.Flags
	work, recent        bool
	parts               []string // header fields of its parts, which belong to its body
	wire                string
}

// alphabet makes words that meet one another often: parts of one another, in
// several cases and scripts.
var alphabet = []string{"ab", "Ab", "abc", "b", "äb", "ÄB", "straße", "Ж", "ж", "日本", "x.y", "c"}

func drawText(t *rapid.T, label string) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(alphabet), 0, 4).Draw(t, label), " ")
}

func drawTruth(t *rapid.T, uid int) truth {
	m := truth{
		subject: drawText(t, "subject"), from: rapid.SampledFrom([]string{"ab@x.org", "Abc@y.org"}).Draw(t, "from"), body: drawText(t, "body"),
		noSubject: rapid.IntRange(0, 5).Draw(t, "no subject") == 0,
		internal:  day(rapid.IntRange(1, 5).Draw(t, "internal")).Add(time.Duration(rapid.IntRange(0, 86399).Draw(t, "second")) * time.Second),
		flags:     mail.Flags(rapid.SampledFrom([]int{0, int(mail.Seen), int(mail.Deleted), int(mail.Seen | mail.Deleted)}).Draw(t, "flags")),
		work:      rapid.Bool().Draw(t, "work"), recent: rapid.Bool().Draw(t, "recent"),
	}
	var b strings.Builder
	fmt.Fprintf(&b, "From: %s\r\n", m.from)
	if rapid.Bool().Draw(t, "has date") {
		zone := time.FixedZone("", 3600*rapid.IntRange(-12, 12).Draw(t, "zone"))
		m.sent = day(rapid.IntRange(1, 5).Draw(t, "sent")).Add(time.Hour).In(zone)
		fmt.Fprintf(&b, "Date: %s\r\n", m.sent.Format(time.RFC1123Z))
	}
	if m.noSubject {
		m.subject = ""
	} else {
		fmt.Fprintf(&b, "Subject: %s\r\n", encodeSubject(m.subject, rapid.IntRange(0, 2).Draw(t, "how the subject is written")))
	}
	how := rapid.IntRange(0, 3).Draw(t, "how the body is written")
	if how == 3 {
		m.parts = []string{partImage, partHTML}
	}
	b.WriteString(encodeBody(m.body, how))
	m.wire = b.String()
	return m
}

func encodeSubject(s string, how int) string {
	switch how {
	case 0:
		return s // raw UTF-8, as mail has it
	case 1:
		return "=?utf-8?B?" + base64.StdEncoding.EncodeToString([]byte(s)) + "?="
	}
	half := len(s) / 2 // two words, which may cut a character
	return "=?utf-8?B?" + base64.StdEncoding.EncodeToString([]byte(s[:half])) + "?=\r\n =?utf-8?B?" + base64.StdEncoding.EncodeToString([]byte(s[half:])) + "?="
}

const (
	partImage = "Content-Type: image/png"
	partHTML  = "Content-Type: text/html; charset=utf-8"
)

func encodeBody(s string, how int) string {
	const utf8 = "Content-Type: text/plain; charset=utf-8\r\n"
	var quoted strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&quoted, "=%02X=\r\n", c)
	}
	switch how {
	case 0:
		return utf8 + "\r\n" + s + "\r\n"
	case 1:
		return utf8 + "Content-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString([]byte(s)) + "\r\n"
	case 2:
		return utf8 + "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + quoted.String() + "\r\n"
	}
	return "Content-Type: multipart/mixed; boundary=QQ\r\n\r\n--QQ\r\n" + partImage + "\r\n\r\nab\r\n--QQ\r\n" +
		partHTML + "\r\n\r\n<p>" + strings.ReplaceAll(s, " ", "</b> <b>") + "</p>\r\n--QQ--\r\n"
}

func drawQuery(t *rapid.T, depth int) mail.Query {
	kinds := 13
	if depth == 0 {
		kinds = 10
	}
	text := drawText(t, "text")
	from, until := day(rapid.IntRange(1, 6).Draw(t, "from")), day(rapid.IntRange(1, 6).Draw(t, "until"))
	field := rapid.SampledFrom([]mail.DateField{mail.InternalDate, mail.SentDate}).Draw(t, "date")
	low, high := rapid.Uint32Range(1, 8).Draw(t, "low"), rapid.Uint32Range(0, 80).Draw(t, "high")
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return mail.All{}
	case 1:
		return mail.HasFlags{Flags: rapid.SampledFrom([]mail.Flags{mail.Seen, mail.Deleted, mail.Seen | mail.Deleted}).Draw(t, "flags")}
	case 2:
		return mail.HasKeyword{Keyword: "work"}
	case 3:
		return mail.IsRecent{}
	case 4:
		return mail.InDays{Field: field, From: from, Until: until}
	case 5:
		return mail.Larger{Size: uint64(high) * 5}
	case 6:
		return mail.InHeader{Field: "SUBJECT", Text: text}
	case 7:
		return mail.InBody{Text: text}
	case 8:
		return mail.UIDIn{Set: mail.UIDSet{{First: mail.UID(low) * 5, Last: mail.UID(high)}}}
	case 9:
		return mail.SeqIn{Set: mail.SeqSet{{First: mail.SeqNum(low), Last: mail.SeqNum(high % 9)}}}
	case 10:
		return mail.Not{Query: drawQuery(t, depth-1)}
	case 11:
		return mail.Or{A: drawQuery(t, depth-1), B: drawQuery(t, depth-1)}
	}
	and := mail.And{}
	for range rapid.IntRange(0, 3).Draw(t, "parts") {
		and = append(and, drawQuery(t, depth-1))
	}
	return and
}

// naive evaluates a query as RFC 3501 6.4.4 says it, on what the message was made from.
func naive(q mail.Query, all []truth, i int) bool {
	m := all[i]
	switch q := q.(type) {
	case mail.All:
		return true
	case mail.Not:
		return !naive(q.Query, all, i)
	case mail.Or:
		return naive(q.A, all, i) || naive(q.B, all, i)
	case mail.And:
		return !slices.ContainsFunc(q, func(p mail.Query) bool { return !naive(p, all, i) })
	case mail.HasFlags:
		return m.flags&q.Flags == q.Flags
	case mail.HasKeyword:
		return m.work
	case mail.IsRecent:
		return m.recent
	case mail.Larger:
		return uint64(len(m.wire)) > q.Size
	case mail.InDays:
		at := m.internal
		if q.Field == mail.SentDate {
			if m.sent.IsZero() {
				return false // RFC 3501 6.4.4 speaks of the Date header alone
			}
			at = m.sent
		}
		d := at.Format(time.DateOnly)
		return d >= q.From.Format(time.DateOnly) && d < q.Until.Format(time.DateOnly)
	case mail.InHeader:
		return !m.noSubject && holds(m.subject, q.Text)
	case mail.InBody:
		return slices.ContainsFunc(append(m.parts, m.body), func(s string) bool { return holds(s, q.Text) })
	case mail.UIDIn:
		return within(uint32(q.Set[0].First), uint32(q.Set[0].Last), uint32(10*(i+1)), uint32(10*len(all)))
	case mail.SeqIn:
		return within(uint32(q.Set[0].First), uint32(q.Set[0].Last), uint32(i+1), uint32(len(all)))
	}
	panic(fmt.Sprintf("a query %T", q))
}

// within: 0 is "*", and a range may be written from either end.
func within(a, b, n, star uint32) bool {
	if a == 0 {
		a = star
	}
	if b == 0 {
		b = star
	}
	return min(a, b) <= n && n <= max(a, b)
}

func holds(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// truthBox is a view of such messages.
type truthBox struct {
	*box
	all []truth
}

func (b truthBox) Flags(i int) mail.Flags          { return b.all[i].flags }
func (b truthBox) HasKeyword(i int, _ string) bool { return b.all[i].work }
func (b truthBox) Recent(i int) bool               { return b.all[i].recent }
func (b truthBox) Internal(_ context.Context, i int) (time.Time, error) {
	return b.all[i].internal, nil
}

// TestMatchAsNaive: every query finds what the naive evaluator finds, however the
// messages are encoded, and in one goroutine as in several.
func TestMatchAsNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []truth
		b := &box{}
		for i := range rapid.IntRange(1, 7).Draw(t, "messages") {
			all = append(all, drawTruth(t, i))
			b.msgs = append(b.msgs, all[i].wire)
		}
		q := drawQuery(t, 3)
		var want []int
		for i := range all {
			if naive(q, all, i) {
				want = append(want, i)
			}
		}
		for _, workers := range []int{1, 4} {
			got, err := Match(t.Context(), q, truthBox{b, all}, Options{Workers: workers, Zone: time.UTC})
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%#v with %d workers: got %v, %v, want %v", q, workers, got, err, want)
			}
		}
	})
}

// TestSortAsNaive: the order is that of a stable sort by the criteria, the last first.
func TestSortAsNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []truth
		b := &box{}
		var hits []int
		for i := range rapid.IntRange(1, 9).Draw(t, "messages") {
			all = append(all, drawTruth(t, i))
			b.msgs = append(b.msgs, all[i].wire)
			hits = append(hits, i)
		}
		less := map[mail.SortKey]func(a, b truth) int{
			mail.SortArrival: func(a, b truth) int { return a.internal.Compare(b.internal) },
			mail.SortSize:    func(a, b truth) int { return len(a.wire) - len(b.wire) },
			mail.SortFrom:    func(a, b truth) int { return strings.Compare(strings.ToLower(a.from), strings.ToLower(b.from)) },
			mail.SortDate: func(a, b truth) int {
				if a.sent.IsZero() {
					a.sent = a.internal
				}
				if b.sent.IsZero() {
					b.sent = b.internal
				}
				return a.sent.Compare(b.sent)
			},
		}
		var criteria []mail.SortCriterion
		for range rapid.IntRange(1, 3).Draw(t, "criteria") {
			criteria = append(criteria, mail.SortCriterion{
				Key: rapid.SampledFrom([]mail.SortKey{mail.SortArrival, mail.SortSize, mail.SortFrom, mail.SortDate}).Draw(t, "key"), Reverse: rapid.Bool().Draw(t, "reverse"),
			})
		}
		want := slices.Clone(hits)
		for _, c := range slices.Backward(criteria) {
			slices.SortStableFunc(want, func(i, j int) int {
				d := less[c.Key](all[i], all[j])
				if c.Reverse {
					d = -d
				}
				return d
			})
		}
		got, err := Sort(t.Context(), criteria, truthBox{b, all}, hits, options)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v: got %v, %v, want %v", criteria, got, err, want)
		}
	})
}

package search

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"postrider/mail"
	"postrider/message"
)

// box is a view of messages in memory. It counts the messages that were opened.
type box struct {
	msgs   []string
	flags  map[int]mail.Flags
	gone   map[int]bool
	opened chan int
}

func (b *box) Len() int                         { return len(b.msgs) }
func (b *box) UID(i int) mail.UID               { return mail.UID(10 * (i + 1)) }
func (b *box) Flags(i int) mail.Flags           { return b.flags[i] }
func (b *box) HasKeyword(i int, kw string) bool { return kw == "work" && i == 0 }
func (b *box) Recent(i int) bool                { return i == len(b.msgs)-1 }

func (b *box) Internal(_ context.Context, i int) (time.Time, error) {
	return time.Date(2024, 1, 1+i, 23, 30, 0, 0, time.UTC), nil
}

func (b *box) Size(_ context.Context, i int) (int64, error) { return int64(len(b.msgs[i])), nil }

func (b *box) Header(_ context.Context, i int, names []string) ([]byte, error) {
	if b.gone[i] {
		return nil, ErrGone
	}
	return message.AppendFields(nil, []byte(b.msgs[i]), names, false), nil
}

type text struct{ *bytes.Reader }

func (t text) Size() (int64, error) { return t.Reader.Size(), nil }
func (t text) Close() error         { return nil }

func (b *box) Open(_ context.Context, i int) (Text, error) {
	if b.gone[i] {
		return nil, ErrGone
	}
	if b.opened != nil {
		b.opened <- i
	}
	return text{bytes.NewReader([]byte(b.msgs[i]))}, nil
}

var options = Options{Workers: 3, Zone: time.UTC}

func testBox() *box {
	return &box{
		msgs: []string{
			"From: Anna <anna@x.org>\r\nSubject: =?utf-8?q?=C3=84rger?= mit Re\r\nDate: Mon, 1 Jan 2024 23:59:00 -0800\r\n\r\nhello\r\nworld\r\n",
			"From: bob@x.org\r\nSubject: plain\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>caf=E9 <b>quart</b>erly</p><script>hidden</script>\r\n",
			"From: eve@x.org\r\nSubject: mixed\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble word\r\n--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nc2VjcmV0IHRleHQ=\r\n--b\r\nContent-Type: image/png; name=\"holiday.png\"\r\n\r\nbinary needle\r\n--b--\r\n",
			"Subject: none\r\n\r\n",
		},
		flags: map[int]mail.Flags{0: mail.Seen, 1: mail.Seen | mail.Deleted},
	}
}

func day(d int) time.Time { return time.Date(2024, 1, d, 0, 0, 0, 0, time.UTC) }

func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		q    mail.Query
		want string
	}{
		{mail.All{}, "[0 1 2 3]"},
		{mail.And{}, "[0 1 2 3]"},
		{mail.HasFlags{Flags: mail.Seen}, "[0 1]"},
		{mail.Not{Query: mail.HasFlags{Flags: mail.Seen}}, "[2 3]"},
		{mail.And{mail.HasFlags{Flags: mail.Seen}, mail.Not{Query: mail.HasFlags{Flags: mail.Deleted}}}, "[0]"},
		{mail.Or{A: mail.HasKeyword{Keyword: "work"}, B: mail.IsRecent{}}, "[0 3]"},
		{mail.SeqIn{Set: mail.SeqSet{{First: 2, Last: 3}, {First: 9, Last: 0}}}, "[1 2 3]"},
		{mail.UIDIn{Set: mail.UIDSet{{First: 15, Last: 35}}}, "[1 2]"},
		{mail.InDays{Field: mail.InternalDate, From: day(2), Until: day(3)}, "[1]"},
		{mail.InDays{Field: mail.SentDate, Until: day(2)}, "[0]"}, // its own day, without regard to the zone
		{mail.Larger{Size: 100}, "[0 1 2]"},
		{mail.InHeader{Field: "subject", Text: "ärger"}, "[0]"},
		{mail.InHeader{Field: "Date", Text: ""}, "[0]"},
		{mail.InHeader{Field: "From", Text: "X.ORG"}, "[0 1 2]"},
		{mail.InBody{Text: "HELLO WORLD"}, "[0]"},
		{mail.InBody{Text: "CAFÉ quarterly"}, "[1]"},
		{mail.InBody{Text: "hidden"}, "[]"},
		{mail.InBody{Text: "secret text"}, "[2]"},
		{mail.InBody{Text: "holiday.png"}, "[2]"},
		{mail.InBody{Text: "needle"}, "[]"},
		{mail.InBody{Text: "anna"}, "[]"},
		{mail.InText{Text: "anna"}, "[0]"},
		{mail.Not{Query: mail.InText{Text: "x.org"}}, "[3]"},
	} {
		got, err := Match(t.Context(), tc.q, testBox(), options)
		if err != nil || fmt.Sprint(got) != tc.want {
			t.Errorf("%#v: got %v, %v, want %s", tc.q, got, err, tc.want)
		}
	}
}

// A message that is decided by what is in memory is not opened.
func TestMatchOpensLittle(t *testing.T) {
	b := testBox()
	b.opened = make(chan int, 10)
	q := mail.And{mail.InBody{Text: "x"}, mail.HasFlags{Flags: mail.Deleted}}
	if _, err := Match(t.Context(), q, b, options); err != nil {
		t.Fatal(err)
	}
	if n := len(b.opened); n != 1 || <-b.opened != 1 {
		t.Errorf("%d messages were opened", n)
	}
}

func TestMatchSkipsGone(t *testing.T) {
	b := testBox()
	b.gone = map[int]bool{0: true}
	got, err := Match(t.Context(), mail.InText{Text: "x.org"}, b, options)
	if err != nil || fmt.Sprint(got) != "[1 2]" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestSpreadHandsPanicsOver(t *testing.T) {
	defer func() {
		if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), "boom") {
			t.Errorf("recovered %v", p)
		}
	}()
	spread(t.Context(), 4, []int{1, 2, 3, 4, 5}, func(int) error { panic("boom") })
}

// The text may lie across the borders of whatever pieces the reader hands out.
func TestNeedleAcrossPieces(t *testing.T) {
	n := newNeedle("Ärger über  Zürich")
	hay := strings.Repeat("x", 1000) + " ärger\r\nÜBER\tzürich " + strings.Repeat("y", 1000)
	for size := 1; size < 40; size++ {
		found, err := inReader(n, &pieces{hay, size})
		if err != nil || !found {
			t.Fatalf("pieces of %d: %v, %v", size, found, err)
		}
	}
}

type pieces struct {
	s    string
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.s == "" {
		return 0, io.EOF
	}
	n := copy(b, p.s[:min(p.size, len(p.s))])
	p.s = p.s[n:]
	return n, nil
}

func msg(date int, rest string) string {
	return fmt.Sprintf("Date: %d Jan 2024 10:00:00 +0000\r\n%s\r\n\r\n", date, rest)
}

func TestSort(t *testing.T) {
	b := &box{msgs: []string{
		msg(3, "Subject: b\r\nFrom: z@x\r\nTo: Q <m@x>"),
		msg(1, "Subject: Re: a\r\nFrom: \"Z\" <y@x>\r\nTo: m@y"),
		msg(2, "Subject: [list] a\r\nFrom: X@x\r\nTo: a@x"),
		"Subject: zz\r\n\r\n",
	}}
	for _, tc := range []struct {
		c    []mail.SortCriterion
		want string
	}{
		{[]mail.SortCriterion{{Key: mail.SortDate}}, "[1 2 0 3]"}, // the last has its date of delivery, 4 January
		{[]mail.SortCriterion{{Key: mail.SortArrival, Reverse: true}}, "[3 2 1 0]"},
		{[]mail.SortCriterion{{Key: mail.SortSubject}, {Key: mail.SortDate, Reverse: true}}, "[2 1 0 3]"},
		{[]mail.SortCriterion{{Key: mail.SortFrom}}, "[3 2 1 0]"},
		{[]mail.SortCriterion{{Key: mail.SortTo}, {Key: mail.SortDate}}, "[3 2 1 0]"},
		{[]mail.SortCriterion{{Key: mail.SortSize}}, "[3 0 2 1]"},
	} {
		got, err := Sort(t.Context(), tc.c, b, []int{0, 1, 2, 3}, options)
		if err != nil || fmt.Sprint(got) != tc.want {
			t.Errorf("%v: got %v, %v, want %s", tc.c, got, err, tc.want)
		}
	}
}

func draw(nodes []*Node) string {
	var b strings.Builder
	for _, n := range nodes {
		b.WriteByte('(')
		if n.Index >= 0 {
			fmt.Fprint(&b, n.Index)
		}
		b.WriteString(draw(n.Children))
		b.WriteByte(')')
	}
	return b.String()
}

func TestThread(t *testing.T) {
	for _, tc := range []struct {
		name string
		alg  mail.ThreadAlgorithm
		msgs []string
		want string
	}{
		{"subjects", mail.OrderedSubject, []string{msg(2, "Subject: a"), msg(1, "Subject: b"), msg(3, "Subject: Re: a"), msg(4, "Subject: RE: b"), msg(5, "Subject: a (fwd)")},
			"(1(3))(0(2)(4))"},
		{"chain", mail.References, []string{msg(1, "Message-ID: <1@x>"), msg(2, "Message-ID: <2@x>\r\nReferences: <1@x>"), msg(3, "Message-ID: <3@x>\r\nReferences: <1@x> <2@x>")},
			"(0(1(2)))"},
		{"chain backwards", mail.References, []string{msg(3, "Message-ID: <3@x>\r\nReferences: <1@x> <2@x>"), msg(2, "Message-ID: <2@x>\r\nIn-Reply-To: <\"1\"@x> from Anna"), msg(1, "Message-ID: <1@x>")},
			"(2(1(0)))"},
		{"a missing parent joins two", mail.References, []string{msg(1, "Message-ID: <1@x>\r\nReferences: <0@x>"), msg(2, "Message-ID: <2@x>\r\nReferences: <0@x>")},
			"((0)(1))"},
		{"a missing parent of one", mail.References, []string{msg(1, "Message-ID: <1@x>\r\nReferences: <0@x>")}, "(0)"},
		{"a missing one between", mail.References, []string{msg(1, "Message-ID: <1@x>"), msg(2, "Message-ID: <3@x>\r\nReferences: <1@x> <2@x>")}, "(0(1))"},
		{"a loop", mail.References, []string{msg(1, "Message-ID: <1@x>\r\nReferences: <2@x>"), msg(2, "Message-ID: <2@x>\r\nReferences: <1@x>")}, "(1(0))"},
		{"itself", mail.References, []string{msg(1, "Message-ID: <1@x>\r\nReferences: <1@x>")}, "(0)"},
		{"one ID twice", mail.References, []string{msg(1, "Message-ID: <1@x>"), msg(2, "Message-ID: <1@x>"), msg(3, "References: <1@x>")}, "(0(2))(1)"},
		{"subject of a reply", mail.References, []string{msg(1, "Subject: a"), msg(2, "Subject: Re: a")}, "(0(1))"},
		{"two replies", mail.References, []string{msg(1, "Subject: Re: a"), msg(2, "Subject: Re: A")}, "((0)(1))"},
		{"no subjects", mail.References, []string{msg(1, "X: a"), msg(2, "X: b")}, "(0)(1)"},
		{"by date", mail.References, []string{msg(5, "Message-ID: <1@x>"), msg(4, "Message-ID: <2@x>"), msg(7, "References: <1@x>"), msg(6, "References: <1@x>")}, "(1)(0(3)(2))"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			hits := make([]int, len(tc.msgs))
			for i := range hits {
				hits[i] = i
			}
			got, err := Thread(t.Context(), tc.alg, &box{msgs: tc.msgs}, hits, options)
			if err != nil || draw(got) != tc.want {
				t.Errorf("got %s, %v, want %s", draw(got), err, tc.want)
			}
		})
	}
}

// TestCollation: i;unicode-casemap compares title case (RFC 5051 2), so that "[" and
// "_" come behind the letters, and a text and its decomposition are equal.
func TestCollation(t *testing.T) {
	b := &box{}
	for _, s := range []string{"[", "zebra", "Zebra", "_", "Ärger", "a\u0308rger", "arger", "argz", "straße", "1", "^"} {
		b.msgs = append(b.msgs, "Subject: "+s+"\r\nFrom: =?utf-8?q?x?= <\""+s+"\"@x>\r\n\r\n")
	}
	hits := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for _, key := range []mail.SortKey{mail.SortSubject, mail.SortFrom} {
		got, err := Sort(t.Context(), []mail.SortCriterion{{Key: key}}, b, hits, options)
		if want := "[9 6 7 4 5 8 1 2 0 10 3]"; err != nil || fmt.Sprint(got) != want {
			t.Errorf("key %v: got %v, %v, want %s", key, got, err, want)
		}
	}
}

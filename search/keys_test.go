package search

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"postrider/mail"
)

// inReader looks for one text in what r reads.
func inReader(n *needle, r io.Reader) (bool, error) {
	p := &pass{opened: &opened{found: make([]bool, 1)}, open: []*inText{{text: n}}}
	err := p.reader(r)
	return p.found[0], err
}

// Each key gets its own answer when many look into one message at once, whatever was
// asked before, negated, or in a header that only some look at.
func TestManyKeysInOneMessage(t *testing.T) {
	b := &box{msgs: []string{"Subject: alpha\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX-Note: beta\r\n\r\ngamma delta\r\n--b\r\n\r\nepsilon\r\n--b--\r\n"}}
	has := map[string][2]bool{ // in TEXT, in BODY
		"alpha": {true, false}, "beta": {true, true}, "gamma": {true, true}, "delta": {true, true}, "epsilon": {true, true}, "zeta": {false, false}, "": {true, true},
	}
	var keys []mail.Query
	var want []bool
	for word, in := range has {
		keys = append(keys, mail.InText{Text: word}, mail.InBody{Text: word})
		want = append(want, in[0], in[1])
	}
	for i := range keys {
		for j := range keys {
			for name, q := range map[string]struct {
				query mail.Query
				want  bool
			}{
				"and": {mail.And{keys[i], keys[j]}, want[i] && want[j]},
				"or":  {mail.Or{A: keys[i], B: keys[j]}, want[i] || want[j]},
				"not": {mail.And{mail.Not{Query: keys[i]}, keys[j], mail.Or{A: keys[j], B: keys[i]}}, !want[i] && want[j]},
			} {
				hits, err := Match(t.Context(), q.query, b, options)
				if err != nil || (len(hits) == 1) != q.want {
					t.Errorf("%s of %v and %v: %v %v", name, keys[i], keys[j], hits, err)
				}
			}
		}
	}
}

// counted counts the octets that are read of the messages.
type counted struct {
	*box
	read int
}

func (c *counted) Open(ctx context.Context, i int) (Text, error) {
	t, err := c.box.Open(ctx, i)
	return countedText{t, c}, err
}

type countedText struct {
	Text
	c *counted
}

func (t countedText) ReadAt(b []byte, at int64) (int, error) {
	n, err := t.Text.ReadAt(b, at)
	t.c.read += n
	return n, err
}

// Twenty keys read a message no oftener than three times: to parse it, up to the first
// that is found, and to its end.
func TestManyKeysReadOnce(t *testing.T) {
	src := &counted{box: &box{msgs: []string{"Subject: x\r\n\r\n" + strings.Repeat("some words of a text\r\n", 20_000) + manyWords()}}}
	var q mail.And
	for i := range 20 {
		q = append(q, mail.InBody{Text: fmt.Sprintf("word%d.", i)})
	}
	one := options
	one.Workers = 1
	if hits, err := Match(t.Context(), q, src, one); err != nil || len(hits) != 1 {
		t.Fatalf("%v %v", hits, err)
	}
	if most := 3*len(src.msgs[0]) + 100_000; src.read > most {
		t.Errorf("%d octets read of a message of %d", src.read, len(src.msgs[0]))
	}
}

func manyWords() string {
	var text strings.Builder
	for i := range 20 {
		fmt.Fprintf(&text, "word%d.\r\n", i)
	}
	return text.String()
}

// BenchmarkManyKeys is a search for twenty words in the bodies of messages of 100 kB, as
// clients send when somebody types a sentence.
func BenchmarkManyKeys(b *testing.B) {
	for _, n := range []int{1, 2, 20} {
		src := &box{}
		for range 100 {
			src.msgs = append(src.msgs, "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"+strings.Repeat("c29tZSB3b3JkcyBvZiBhIHRleHQgdGhhdCBpcyBub3Qgc2hvcnQgYXQgYWxsLCA=\r\n", 1500))
		}
		var q mail.Query = mail.InBody{Text: "word that is not there 0"}
		for i := 1; i < n; i++ {
			q = mail.Or{A: q, B: mail.InBody{Text: fmt.Sprintf("word that is not there %d", i)}}
		}
		b.Run(fmt.Sprintf("%d keys", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := Match(b.Context(), q, src, options); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

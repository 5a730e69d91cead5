package search

import (
	"fmt"
	"testing"

	"postrider/mail"
)

const manyMessages = 100000

// manyBox is a mailbox of conversations of eight messages.
func manyBox() (*box, []int) {
	b := &box{msgs: make([]string, manyMessages)}
	hits := make([]int, manyMessages)
	for i := range b.msgs {
		k := i * 7919 % manyMessages // not in the order of dates
		subject, refs := fmt.Sprintf("Subject: Topic number %d\r\n", k/8), ""
		if k%8 > 0 {
			subject, refs = "Subject: Re: "+subject[len("Subject: "):], fmt.Sprintf("References: <%d@example.org> <%d@example.org>\r\n", k/8*8, k-1)
		}
		b.msgs[i] = fmt.Sprintf("From: \"Person %d\" <user%d@example.org>\r\nDate: %d Jan 2024 %02d:%02d:00 +0100\r\nMessage-ID: <%d@example.org>\r\n%s%s\r\n",
			k%500, k%500, 1+k%28, k%24, k%60, k, refs, subject)
		hits[i] = i
	}
	return b, hits
}

func BenchmarkSort(b *testing.B) {
	src, hits := manyBox()
	for name, c := range map[string][]mail.SortCriterion{
		"arrival":      {{Key: mail.SortArrival}},
		"date":         {{Key: mail.SortDate, Reverse: true}},
		"subject-date": {{Key: mail.SortSubject}, {Key: mail.SortDate}},
		"from":         {{Key: mail.SortFrom}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Sort(b.Context(), c, src, hits, options); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkThread(b *testing.B) {
	src, hits := manyBox()
	for name, alg := range map[string]mail.ThreadAlgorithm{"orderedsubject": mail.OrderedSubject, "references": mail.References} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Thread(b.Context(), alg, src, hits, options); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A thread as deep as the mailbox is long, in every order, costs no more than its
// length, nearly.
func BenchmarkThreadDeep(b *testing.B) {
	const n = manyMessages
	msgs := make([]string, n)
	hits := make([]int, n)
	for i := range msgs {
		msgs[i] = msg(1, fmt.Sprintf("Message-ID: <%d@x>\r\nReferences: <%d@x>", i, i-1))
		hits[i] = i
	}
	for _, name := range []string{"forward", "backward"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Thread(b.Context(), mail.References, &box{msgs: msgs}, hits, options); err != nil {
					b.Fatal(err)
				}
			}
		})
		for i := range n / 2 {
			msgs[i], msgs[n-1-i] = msgs[n-1-i], msgs[i]
		}
	}
}

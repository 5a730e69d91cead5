package search

import (
	"fmt"
	"strings"
	"testing"

	"postrider/mail"
	"postrider/message"
)

// The two answers to THREAD in RFC 5256 3, of one mailbox.
const (
	exampleSubjects = "(166)(167)(168)(169)(172)(170)(171)(173)(174 (175)(176)(178)(181)(180))(179)(177 (183)(182)(188)(184)(185)(186)(187)(189))" +
		"(190)(191)(192)(193)(194 195)(196 (197)(198))(199)(200 202)(201)(203)(204)(205)(206 207)(208)"
	exampleReferences = "(166)(167)(168)(169)(172)((170)(179))(171)(173)((174)(175)(176)(178)(181)(180))((177)(183)(182)(188 (184)(189))(185 186)(187))" +
		"(190)(191)(192)(193)((194)(195 196))(197 198)(199)(200 202)(201)(203)(204)(205 206 207)(208)"
	exampleFirst, exampleLast = 166, 208
)

// TestThreadExamples makes a mailbox whose subjects and dates are those of the first
// example and whose references those of the second, and asks for both.
func TestThreadExamples(t *testing.T) {
	subjects, references := parseThreads(t, exampleSubjects), parseThreads(t, exampleReferences)
	subject, date, parent := map[int]string{}, map[int]int{}, map[int]string{}
	for _, root := range subjects {
		walk(root, func(n, _ *Node) {
			date[n.Index] = len(date)
			subject[n.Index] = fmt.Sprintf("Subject: Re: topic %d", root.Index)
			if n == root {
				subject[n.Index] = fmt.Sprintf("Subject: topic %d", root.Index)
			}
		})
	}
	for k, root := range references {
		walk(root, func(n, above *Node) {
			if above != nil && above.Index >= 0 {
				parent[n.Index] = fmt.Sprintf("References: <%d@x>\r\n", above.Index)
			} else if above != nil {
				parent[n.Index] = fmt.Sprintf("References: <missing-%d@x>\r\n", k)
			}
		})
	}
	b := &box{}
	var hits []int
	for i := range exampleLast - exampleFirst + 1 {
		n := i + exampleFirst
		b.msgs = append(b.msgs, fmt.Sprintf("Date: 5 Mar 2000 10:%02d:00 +0000\r\nMessage-ID: <%d@x>\r\n%s%s\r\n\r\n", date[n], n, parent[n], subject[n]))
		hits = append(hits, i)
	}
	for alg, want := range map[mail.ThreadAlgorithm][]*Node{mail.OrderedSubject: subjects, mail.References: references} {
		got, err := Thread(t.Context(), alg, b, hits, options)
		if err != nil {
			t.Fatal(err)
		}
		for _, root := range got {
			walk(root, func(n, _ *Node) {
				if n.Index >= 0 {
					n.Index += exampleFirst
				}
			})
		}
		if draw(got) != draw(want) {
			t.Errorf("algorithm %v:\n got %s\nwant %s", alg, draw(got), draw(want))
		}
	}
}

// walk calls visit for a node and those below it, from the top.
func walk(n *Node, visit func(n, above *Node)) {
	var down func(n, above *Node)
	down = func(n, above *Node) {
		visit(n, above)
		for _, c := range n.Children {
			down(c, n)
		}
	}
	down(n, nil)
}

// parseThreads reads the threads of a THREAD response (RFC 5256 5, thread-list).
func parseThreads(t *testing.T, s string) []*Node {
	t.Helper()
	root := &Node{Index: -1}
	var open []*Node // where the next member of each list goes
	at := root
	for s != "" {
		switch c := s[0]; {
		case c == '(':
			open = append(open, at)
			if len(s) > 1 && s[1] == '(' { // a parent that is not there
				at.Children = append(at.Children, &Node{Index: -1})
				at = at.Children[len(at.Children)-1]
			}
			s = s[1:]
		case c == ')':
			at, open = open[len(open)-1], open[:len(open)-1]
			s = s[1:]
		case c == ' ':
			s = s[1:]
		default:
			n, digits := 0, 0
			for ; digits < len(s) && s[digits] >= '0' && s[digits] <= '9'; digits++ {
				n = 10*n + int(s[digits]-'0')
			}
			if digits == 0 {
				t.Fatalf("not a thread: %q", s)
			}
			at.Children = append(at.Children, &Node{Index: n})
			at = at.Children[len(at.Children)-1]
			s = s[digits:]
		}
	}
	return root.Children
}

// TestThreadResponseExample: the tree of RFC 5256 4, whose later messages are parents
// of earlier ones.
func TestThreadResponseExample(t *testing.T) {
	above := map[int]int{6: 3, 4: 6, 23: 4, 44: 6, 7: 44, 96: 7}
	b := &box{}
	for n := range 97 {
		refs := ""
		if p := above[n]; p != 0 {
			refs = fmt.Sprintf("References: <%d@x>\r\n", p)
		}
		b.msgs = append(b.msgs, fmt.Sprintf("Date: 5 Mar 2000 10:%02d:00 +0000\r\nMessage-ID: <%d@x>\r\n%s\r\n", n%60, n, refs))
	}
	got, err := Thread(t.Context(), mail.References, b, []int{2, 3, 4, 6, 7, 23, 44, 96}, options)
	if want := draw(parseThreads(t, "(2)(3 6 (4 23)(44 7 96))")); err != nil || draw(got) != want {
		t.Errorf("got %s, %v, want %s", draw(got), err, want)
	}
	b.msgs[3], b.msgs[5] = "Message-ID: <3@x>\r\nReferences: <0@x>\r\n\r\n", "Message-ID: <5@x>\r\nReferences: <0@x>\r\n\r\n"
	got, err = Thread(t.Context(), mail.References, b, []int{3, 5}, options)
	if want := draw(parseThreads(t, "((3)(5))")); err != nil || draw(got) != want {
		t.Errorf("got %s, %v, want %s", draw(got), err, want)
	}
}

// TestBaseSubjectSteps: each step of RFC 5256 2.1 and the notes on them.
func TestBaseSubjectSteps(t *testing.T) {
	for in, want := range map[string]string{
		"a \t b\r\n\tc":            "a b c false",    // 1: blanks
		"a (fwd) (FWD)  ":          "a true",         // 2: trailers
		"Re: Re : re[4]: FW:fwd:a": "a true",         // 3: leaders
		"[one] [two] Re: a":        "a true",         // 3: blobs before a leader
		"[blob] a":                 "a false",        // 4: a blob, if something is left
		"[blob]":                   "[blob] false",   // 4: nothing would be left
		"Re: [blob]":               "[blob] true",    //
		"[fwd: Re: [x] a (fwd)]":   "a true",         // 6: and again from 2
		"[fwd: a] b":               "b false",        // no wrapper: a blob
		"[a[b]] c":                 "[a[b]] c false", // no blob: a bracket inside
		"Reply: a":                 "Reply: a false",
		"Re a":                     "Re a false",
		"(fwd)":                    " true",
		"Re:":                      " true",
	} {
		base, reply := message.BaseSubject(in)
		if got := fmt.Sprint(base, " ", reply); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	deep := strings.Repeat("[fwd: Re: ", 20000) + "a" + strings.Repeat("]", 20000)
	if base, reply := message.BaseSubject(deep); base != "a" || !reply {
		t.Errorf("a deep one: %.40q, %v", base, reply)
	}
}

package message

import "strings"

// BaseSubject returns the base subject of a decoded subject (RFC 5256 2.1), and
// whether the subject is that of a reply or a forward.
func BaseSubject(s string) (base string, isReply bool) {
	s = strings.Join(strings.Fields(s), " ") // step 1
	for {
		s = strings.TrimRight(s, " ")
		for hasSuffixFold(s, "(fwd)") { // step 2
			s, isReply = strings.TrimRight(s[:len(s)-len("(fwd)")], " "), true
		}
		for { // steps 3 to 5
			s = strings.TrimLeft(s, " ")
			if t, ok := cutLeader(s); ok {
				s, isReply = t, true
			} else if t, ok := cutBlob(s); ok && t != "" {
				s = t
			} else {
				break
			}
		}
		n := len(s) - 1 // step 6
		if n < len("[fwd:") || !equalFold(s[:len("[fwd:")], "[fwd:") || s[n] != ']' {
			return s, isReply
		}
		s, isReply = s[len("[fwd:"):n], true
	}
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && equalFold(s[len(s)-len(suffix):], suffix)
}

// cutLeader takes away a subj-leader that is not a blank.
//
//	subj-leader  = (*subj-blob subj-refwd) / WSP
//	subj-refwd   = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
func cutLeader(s string) (string, bool) {
	t := s
	for {
		u, ok := cutBlob(t)
		if !ok {
			break
		}
		t = u
	}
	for _, w := range []string{"re", "fwd", "fw"} {
		if len(t) < len(w) || !equalFold(t[:len(w)], w) {
			continue
		}
		u := strings.TrimLeft(t[len(w):], " ")
		if v, ok := cutBlob(u); ok {
			u = v
		}
		if strings.HasPrefix(u, ":") {
			return u[1:], true
		}
	}
	return s, false
}

// cutBlob takes away subj-blob.
//
//	subj-blob = "[" *BLOBCHAR "]" *WSP
func cutBlob(s string) (string, bool) {
	if !strings.HasPrefix(s, "[") {
		return s, false
	}
	i := strings.IndexAny(s[1:], "[]")
	if i < 0 || s[1+i] != ']' {
		return s, false
	}
	return strings.TrimLeft(s[1+i+1:], " "), true
}

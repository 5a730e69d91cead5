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
		var reply bool
		s, reply = cutLeaders(s)
		isReply = isReply || reply
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

// cutLeaders takes away all leaders, and the blobs behind them as long as something
// is left (steps 3 to 5). It goes over the subject once.
//
//	subj-leader  = (*subj-blob subj-refwd) / WSP
func cutLeaders(s string) (rest string, isReply bool) {
	for {
		s = strings.TrimLeft(s, " ")
		last, t := s, s // behind all blobs but the last, and behind all
		for u, ok := cutBlob(t); ok; u, ok = cutBlob(t) {
			last, t = t, u
		}
		u, ok := cutRefwd(t)
		switch {
		case ok:
			s, isReply = u, true
		case t == "":
			return last, isReply
		default:
			return t, isReply
		}
	}
}

// cutRefwd takes away subj-refwd.
//
//	subj-refwd   = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
func cutRefwd(s string) (string, bool) {
	for _, w := range []string{"re", "fwd", "fw"} {
		if len(s) < len(w) || !equalFold(s[:len(w)], w) {
			continue
		}
		u := strings.TrimLeft(s[len(w):], " ")
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

package message

import (
	"strconv"
	"strings"
	"time"
)

var monthNames = [...]string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

// zones are the names of RFC 5322 4.3; every other name means -0000.
var zones = map[string]int{
	"UT": 0, "GMT": 0, "Z": 0, "UTC": 0,
	"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}

// ParseDate reads the date of a header field (RFC 5322 3.3 and 4.3): with or without
// a day of the week, seconds and zone, with years of two or three digits, zones by
// name, comments and blanks anywhere. ok is false if there is no day in it.
func ParseDate(s string) (t time.Time, ok bool) {
	words := dateWords(s)
	if len(words) > 0 && !isDigit(words[0][0]) && monthOf(words[0]) == 0 {
		words = words[1:] // the day of the week
	}
	if len(words) >= 2 && monthOf(words[0]) != 0 { // asctime: Jan 2 15:04:05 2006
		words[0], words[1] = words[1], words[0]
		if len(words) >= 4 && strings.Contains(words[2], ":") {
			words[2], words[3] = words[3], words[2]
		}
	}
	if len(words) < 3 {
		return time.Time{}, false
	}
	day, err := strconv.Atoi(words[0])
	month := monthOf(words[1])
	year, yerr := strconv.Atoi(words[2])
	if err != nil || yerr != nil || month == 0 || day < 1 || day > 31 || year < 0 || year > 9999 {
		return time.Time{}, false
	}
	switch n := len(words[2]); { // RFC 5322 4.3
	case n <= 2 && year < 50:
		year += 2000
	case n <= 3:
		year += 1900
	}
	var h, m, sec int
	words = words[3:]
	if len(words) > 0 {
		h, m, sec = clockOf(words[0])
		words = words[1:]
	}
	zone := 0
	if len(words) > 0 {
		zone = zoneOf(words[0])
	}
	t = time.Date(year, time.Month(month), day, h, m, sec, 0, time.FixedZone("", zone))
	return t, t.Day() == day || h >= 24
}

// dateWords splits at blanks, commas and comments, and 1-Jan-2006 into three.
func dateWords(s string) []string {
	sc := newScanner([]byte(s))
	var words []string
	for sc.skip(); sc.more() && len(words) < 12; sc.skip() {
		start := sc.pos
		for sc.more() && strings.IndexByte(" \t\r\n(,", sc.peek()) < 0 {
			sc.pos++
		}
		if w := s[start:sc.pos]; w != "" {
			if parts := strings.Split(w, "-"); len(parts) == 3 && parts[0] != "" {
				words = append(words, parts...)
			} else {
				words = append(words, w)
			}
		}
		sc.try(',')
	}
	for i := range words {
		if words[i] == "" {
			words[i] = "?"
		}
	}
	return words
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func monthOf(s string) int {
	if len(s) < 3 {
		return 0
	}
	for i, m := range monthNames {
		if equalFold(s[:3], m) {
			return i + 1
		}
	}
	return 0
}

// clockOf reads 15:04:05, 15:04, or the same with dots; what cannot be read is 0.
func clockOf(s string) (h, m, sec int) {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == '.' })
	at := func(i, limit int) int {
		if i >= len(parts) {
			return 0
		}
		n, err := strconv.Atoi(parts[i])
		if err != nil || n < 0 || n > limit {
			return 0
		}
		return n
	}
	return at(0, 23), at(1, 59), at(2, 60)
}

func zoneOf(s string) int {
	if hours, ok := zones[strings.ToUpper(s)]; ok {
		return hours * 3600
	}
	if len(s) != 5 || s[0] != '+' && s[0] != '-' {
		return 0
	}
	n, err := strconv.Atoi(s[1:])
	if err != nil || n < 0 || n%100 > 59 || n > 2359 {
		return 0
	}
	sec := n/100*3600 + n%100*60
	if s[0] == '-' {
		return -sec
	}
	return sec
}

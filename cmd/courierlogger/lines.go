package courierlogger

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// maxLine is how much of a line is kept, as Courier does.
const maxLine = 511

// severity is what syslog calls it (RFC 3164 4.1.1).
type severity int

const (
	alert   severity = 1
	crit    severity = 2
	failure severity = 3
	warning severity = 4
	info    severity = 6
	debug   severity = 7
)

// classify takes the word that names a severity off a line.
func classify(line string) (severity, string) {
	for _, w := range []struct {
		word string
		s    severity
	}{{"ERR:", failure}, {"WARN:", warning}, {"ALERT:", alert}, {"CRIT:", crit}, {"DEBUG:", debug}, {"INFO:", info}} {
		if rest, ok := strings.CutPrefix(line, w.word); ok {
			return w.s, strings.TrimLeft(rest, " \t")
		}
	}
	return info, line
}

// eachLine calls f with each line, cut to maxLine octets, until the input ends.
func eachLine(in io.Reader, f func(string)) error {
	r := bufio.NewReaderSize(in, 4096)
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part[:min(len(part), maxLine+1-len(line))]...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == nil || len(line) > 0:
			text := strings.TrimRight(string(line), "\r\n")
			f(text[:min(len(text), maxLine)])
			line = line[:0]
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

package courierlogger

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestClassify(t *testing.T) {
	for line, want := range map[string]struct {
		s    severity
		text string
	}{
		"ERR: x": {failure, "x"}, "WARN:x": {warning, "x"}, "ALERT:  x": {alert, "x"}, "CRIT: x": {crit, "x"}, "DEBUG: x": {debug, "x"},
		"INFO: x": {info, "x"}, "x": {info, "x"}, "NOTICE: x": {info, "NOTICE: x"}, " ERR: x": {info, " ERR: x"}, "": {info, ""},
	} {
		if s, text := classify(line); s != want.s || text != want.text {
			t.Errorf("%q: %d %q", line, s, text)
		}
	}
}

// A line is cut, its rest is thrown away, and the next one is whole. The last needs no end.
func TestEachLine(t *testing.T) {
	long := strings.Repeat("a", 10000)
	text := "one\r\n\n" + long + "\ntwo\n" + long[:maxLine] + "\nlast"
	for name, in := range map[string]*strings.Reader{"at once": strings.NewReader(text), "by octets": strings.NewReader(text)} {
		var got []string
		r := iotest.DataErrReader(in)
		if name == "by octets" {
			r = iotest.OneByteReader(in)
		}
		if err := eachLine(r, func(line string) { got = append(got, line) }); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"one", "", long[:maxLine], "two", long[:maxLine], "last"}, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if err := eachLine(iotest.ErrReader(errors.New("broken")), func(string) {}); err == nil {
		t.Error("an error is passed over")
	}
}

// What cannot be sent is told elsewhere; a log that comes back is used again.
func TestSyslog(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	var lost strings.Builder
	log := &syslog{socket: socket, tag: "name", facility: 2, lost: &lost}
	defer log.close()
	log.send(failure, "nobody hears")
	if lost.String() != "name: nobody hears\n" {
		t.Errorf("lost is %q", lost.String())
	}
	for range 2 {
		c, err := net.ListenPacket("unixgram", socket)
		if err != nil {
			t.Fatal(err)
		}
		log.send(failure, "some\x00body \x1b hears")
		b := make([]byte, 1000)
		n, _, err := c.ReadFrom(b)
		if got := string(b[:n]); err != nil || !strings.HasPrefix(got, "<19>") || !strings.HasSuffix(got, " name: some body   hears") {
			t.Errorf("%q, %v", got, err)
		}
		c.Close()
		os.Remove(socket)
	}
	if lost.String() != "name: nobody hears\n" {
		t.Errorf("lost is %q", lost.String())
	}
}

func TestOptions(t *testing.T) {
	for words, want := range map[string]string{
		"-start x": "-pid argument required", "-stop": "-pid argument required", "-facility=nowhere -name=x": "Unknown facility name 'nowhere'",
		"-respawn": "-name option required", "-pid=x": "-name option required",
	} {
		if _, err := parseOptions(strings.Fields(words)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", words, err)
		}
	}
	o, err := parseOptions([]string{"-pid=p", "-respawn", "/usr/bin/prog", "-arg"})
	if err != nil || !o.start || o.name != "prog" || len(o.program) != 2 {
		t.Errorf("%+v, %v", o, err)
	}
}

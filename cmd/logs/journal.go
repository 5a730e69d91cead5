package logs

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// isJournal reports whether w is what systemd reads into its journal (systemd.exec(5),
// JOURNAL_STREAM).
func isJournal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// journalLine makes the severity at the beginning of a line one of sd-daemon(3). As with
// courierlogger, the word NOTICE stays in the text.
func journalLine(line string) string {
	for _, s := range []struct{ word, number string }{{"ERR: ", "<3>"}, {"WARN: ", "<4>"}, {"INFO: ", "<6>"}, {"DEBUG: ", "<7>"}} {
		if text, ok := strings.CutPrefix(line, s.word); ok {
			return s.number + text
		}
	}
	return "<5>" + line
}

package maildir

import (
	"bufio"
	"fmt"
	"io"
)

// UIDDBLines counts the lines of courierimapuiddb after the first that are not
// empty. What ReadUIDDB returns has fewer entries if lines were left out.
func (f *Folder) UIDDBLines() (int, error) {
	file, err := f.dir.Open(uiddbFile)
	if err != nil {
		return 0, fmt.Errorf("read Courier's UIDs: %w", err)
	}
	defer file.Close()
	in := bufio.NewReaderSize(io.LimitReader(file, maxUIDDBSize), 64<<10)
	for n, first := 0, true; ; first = false {
		line, long, err := boundedLine(in)
		if !first && (line != "" || long) {
			n++
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return 0, fmt.Errorf("read Courier's UIDs: %w", err)
		}
	}
}

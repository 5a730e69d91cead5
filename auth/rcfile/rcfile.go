package rcfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Values are the settings of a file.
type Values map[string]string

// maxLine bounds a setting, its continued lines included, in bytes.
const maxLine = 64 << 10

// Read reads the file at path. It holds a password, so others must not read it.
func Read(path string) (Values, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("%s: others can read or write it: chmod 660, or less", path)
	}
	v, err := Parse(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// Parse reads lines of NAME, blanks, value. A "#" in the first column begins a comment;
// a "\" at the end joins the next line with a blank; of two values the first counts.
// The marker that ends a file whole, "##NAME: MARKER:", must be there.
func Parse(r io.Reader) (Values, error) {
	v := Values{}
	whole := false
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	number := 0
	for lines.Scan() {
		number++
		line := lines.Text()
		if strings.HasPrefix(line, "##NAME: MARKER:") {
			whole = true
		}
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		at := number
		for strings.HasSuffix(line, `\`) && lines.Scan() {
			number++
			line = strings.TrimSuffix(line, `\`) + " " + lines.Text()
			if len(line) > maxLine {
				return nil, fmt.Errorf("line %d: it is continued too often", at)
			}
		}
		name, value := cut(line)
		if name == "" {
			return nil, fmt.Errorf("line %d: a setting is a name in the first column, blanks, and a value", at)
		}
		if _, ok := v[name]; !ok {
			v[name] = value
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", number+1, err)
	}
	if !whole {
		return nil, errors.New(`no line begins with "##NAME: MARKER:": the file is not whole`)
	}
	return v, nil
}

func cut(line string) (name, value string) {
	i := strings.IndexAny(line, " \t")
	if i < 0 {
		return line, ""
	}
	return line[:i], strings.Trim(line[i:], " \t\r")
}

// Or is the value of a name, or another if it is not set or empty.
func (v Values) Or(name, other string) string {
	if v[name] != "" {
		return v[name]
	}
	return other
}

// Int is the value of a name as a number, 0 if it is not set.
func (v Values) Int(name string) (int, error) {
	if v[name] == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(v[name])
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not a number", name, v[name])
	}
	return n, nil
}

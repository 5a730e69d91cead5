package couriertcpd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds of an access file: Courier's own have some ten lines, lists of whole countries
// some ten thousand.
const (
	maxAccessFile = 64 << 20
	maxAccessLine = 64 << 10
)

// errCompiled is a database that makedat made; what it was made of can be read.
var errCompiled = errors.New("it is a compiled database (GDBM or Berkeley DB), which this program does not read; " +
	"name the text it was made from instead, which needs no compiling")

// readAccess reads the text of an access file, or of all files in a directory. Where the
// name is that of a compiled file and its source lies beside it, as in the command lines
// of Courier's scripts, the source is read. Notes are lines that are no rules.
func readAccess(name string) (r *rules, read string, notes []error, err error) {
	r, notes, err = readRules(name)
	source, compiled := strings.CutSuffix(name, ".dat")
	if !compiled || err == nil || !errors.Is(err, errCompiled) && !errors.Is(err, os.ErrNotExist) {
		return r, name, notes, err
	}
	r, notes, sourceErr := readRules(source)
	if sourceErr != nil {
		return nil, name, nil, err
	}
	return r, source, notes, nil
}

func readRules(name string) (*rules, []error, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	files := []string{name}
	if info.IsDir() {
		if files, err = sources(name); err != nil {
			return nil, nil, err
		}
	}
	r := newRules()
	var notes []error
	for _, file := range files {
		text, err := readBounded(file)
		if err != nil {
			return nil, nil, err
		}
		if isDatabase(text) {
			return nil, nil, fmt.Errorf("%s: %w", file, errCompiled)
		}
		notes = append(notes, r.parse(file, text)...)
	}
	return r, notes, nil
}

// sources are the files of a directory, without those that editors and package managers
// leave behind.
func sources(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		name := e.Name()
		switch suffix := filepath.Ext(name); {
		case strings.Contains(name, "~"), strings.HasPrefix(name, "."), !isFile(filepath.Join(dir, name)):
		case suffix == ".rpmsave", suffix == ".rpmnew", strings.HasPrefix(suffix, ".dpkg-"):
			return nil, fmt.Errorf("%s: left behind by a package manager; merge it and remove it", filepath.Join(dir, name))
		case suffix == ".dist" && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name()+".dist" == name }):
		default:
			files = append(files, filepath.Join(dir, name))
		}
	}
	return files, nil
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxAccessFile+1))
	if err == nil && len(text) > maxAccessFile {
		err = fmt.Errorf("%s: more than %d bytes", name, maxAccessFile)
	}
	return text, err
}

// isDatabase knows the first bytes of GDBM's and Berkeley DB's files, in both orders.
func isDatabase(text []byte) bool {
	magic := func(at int, words ...uint32) bool {
		return len(text) >= at+4 && (slices.Contains(words, binary.LittleEndian.Uint32(text[at:])) || slices.Contains(words, binary.BigEndian.Uint32(text[at:])))
	}
	return magic(0, 0x13579acd, 0x13579ace, 0x13579acf, 0x13579ad0, 0x13579ad1, 0x00061561, 0x00053162) || magic(12, 0x00061561, 0x00053162)
}

// parse takes the rules of one text; it returns what it cannot take.
func (r *rules) parse(file string, text []byte) (notes []error) {
	line := 0
	note := func(format string, args ...any) {
		if len(notes) < 100 {
			notes = append(notes, fmt.Errorf("%s:%d: %w", file, line, fmt.Errorf(format, args...)))
		}
	}
	for each := range bytes.Lines(text) {
		line++
		each = bytes.TrimRight(each, "\r\n")
		if len(bytes.TrimSpace(each)) == 0 || each[0] == '#' {
			continue
		}
		if len(each) > maxAccessLine {
			note("more than %d bytes in a line", maxAccessLine)
			continue
		}
		key, value, ok := strings.Cut(string(each), "\t")
		if !ok {
			note("no tab between the address and what to do: %.60q", each)
			continue
		}
		if err := r.addKey(strings.TrimSpace(key), parseVerdict(value)); err != nil {
			note("%.60q is no address: %w", key, err)
		}
	}
	return notes
}

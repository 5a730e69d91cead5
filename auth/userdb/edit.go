package userdb

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Field is one item of a record. Bare says that it has no "=".
type Field struct {
	Name, Value string
	Bare        bool
}

// ErrField says that a name or a value holds what a userdb cannot.
var ErrField = errors.New("a field or value holds | or a line feed")

// parseFields reads "field=value|field|field=value".
func parseFields(text string) []Field {
	var fields []Field
	for item := range strings.SplitSeq(text, "|") {
		name, value, found := strings.Cut(item, "=")
		if item != "" {
			fields = append(fields, Field{name, value, !found})
		}
	}
	return fields
}

func formatFields(fields []Field) (string, error) {
	items := make([]string, len(fields))
	for i, f := range fields {
		items[i] = f.Name
		if !f.Bare {
			items[i] += "=" + f.Value
		}
		if strings.ContainsAny(items[i], "|\n") || f.Name == "" {
			return "", ErrField
		}
	}
	return strings.Join(items, "|"), nil
}

func indexField(fields []Field, name string) int {
	return slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
}

// SetField returns fields with one of them set; its place stays.
func SetField(fields []Field, f Field) []Field {
	if i := indexField(fields, f.Name); i >= 0 {
		fields[i] = f
		return fields
	}
	return append(fields, f)
}

// Show calls yield with each record of a file, in its order, until that returns
// false. Lines that hold none are passed over, reverse records are not.
func Show(path string, yield func(name string, fields []Field) bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(fmt.Errorf("%s: not a file", path), err)
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine+1)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), "\t")
		if name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		if !yield(name, parseFields(text)) {
			return nil
		}
	}
	return lines.Err()
}

// Edit changes the record of name in one file of a userdb: change gets its fields,
// and whether there is one, and returns the new fields, nil to delete the record.
// All other lines stay as they are. It takes the lock that Courier's userdb command
// takes; readers see the old file or the new one. The file's mode and owner stay.
func Edit(path, name string, change func(fields []Field, found bool) ([]Field, error)) error {
	if name == "" || strings.ContainsAny(name, "\t\n") || strings.HasPrefix(name, "#") {
		return fmt.Errorf("%q cannot be a name in a userdb", name)
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	dir, base := filepath.Split(path)
	lock, err := os.OpenFile(dir+".lock."+base, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("locking %s: %w", lock.Name(), err)
	}
	old, err := os.Open(path)
	if err != nil {
		return err
	}
	defer old.Close()
	info, err := old.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return fmt.Errorf("%s: not a file of %d bytes at most", path, maxFile)
	}
	text, err := io.ReadAll(io.LimitReader(old, maxFile+1))
	if err != nil {
		return err
	}
	edited, err := editText(string(text), name, change)
	if err != nil || edited == string(text) {
		return err
	}
	return replaceFile(path, dir+".tmp."+base, info, edited)
}

// editText is a file's text with one record changed, its first of that name.
func editText(text, name string, change func([]Field, bool) ([]Field, error)) (string, error) {
	before, rest, found := text, "", false
	var fields []Field
	at := 0
	for line := range strings.Lines(text) {
		if key, record, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok && key == name {
			before, rest, found, fields = text[:at], text[at+len(line):], true, parseFields(record)
			break
		}
		at += len(line)
	}
	changed, err := change(fields, found)
	if err != nil || changed == nil {
		return before + rest, err
	}
	record, err := formatFields(changed)
	if err != nil {
		return "", err
	}
	if before != "" && !strings.HasSuffix(before, "\n") {
		before += "\n"
	}
	line := name + "\t" + record + "\n"
	if len(line) > maxLine {
		return "", errors.New("the record is too long")
	}
	return before + line + rest, nil
}

// replaceFile puts text in a file's place, durably.
func replaceFile(path, temporary string, like os.FileInfo, text string) error {
	_ = os.Remove(temporary) // of one that died; the lock is ours
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if st, ok := like.Sys().(*syscall.Stat_t); err == nil && ok && int(st.Uid) != os.Geteuid() {
		err = f.Chown(int(st.Uid), int(st.Gid))
	}
	if err == nil {
		err = f.Chmod(like.Mode().Perm())
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		_ = os.Remove(temporary)
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

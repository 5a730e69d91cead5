package userdb

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"postrider/auth/userdb"
)

// Edit is the program userdb: it shows, sets, unsets and deletes records.
func (t Tool) Edit() int {
	args := t.Args
	next := func() string {
		if len(args) == 0 {
			return ""
		}
		first := args[0]
		args = args[1:]
		return first
	}
	show := len(args) > 0 && args[0] == "-show"
	if show {
		next()
	}
	file, name := t.Userdb, next()
	switch slash := strings.LastIndexByte(name, '/'); {
	case name == "-f":
		file, name = next(), next()
	case slash >= 0:
		file, name = filepath.Join(file, name[:slash]), name[slash+1:]
	}
	if info, err := os.Lstat(t.Userdb); err == nil && info.Mode()&os.ModeSymlink != 0 && strings.HasPrefix(file, t.Userdb) {
		return t.fail("ERROR: Wrong userdb command.\n       (%s is a symbolic link)", t.Userdb)
	}
	if show {
		return t.show(file, name)
	}
	verb := next()
	if name == "" || file == "" || slices.ContainsFunc(args, func(s string) bool { return s == "" }) {
		return t.usage()
	}
	if slices.ContainsFunc(args, func(s string) bool { return strings.ContainsAny(s, "|\n") }) {
		return t.fail("Invalid field or value.")
	}
	switch {
	case verb == "set":
		return t.set(file, name, args)
	case verb == "unset":
		return t.change(file, name, false, func(fields []userdb.Field) []userdb.Field {
			return slices.DeleteFunc(fields, func(f userdb.Field) bool { return slices.Contains(args, f.Name) })
		})
	case verb == "del" && len(args) == 0:
		return t.change(file, name, false, func([]userdb.Field) []userdb.Field { return nil })
	}
	return t.usage()
}

func (t Tool) usage() int {
	for i, form := range []string{
		"[path/.../ | -f file ]name set field=value field=value...",
		"[path/.../ | -f file ]name unset field field...",
		"[path/.../ | -f file ]name del",
		"-show [path/... | -f file ] [name]",
	} {
		word := "      "
		if i == 0 {
			word = "Usage:"
		}
		fmt.Fprintln(t.Out, word, t.Name, form)
	}
	return 1
}

// show prints the names of all records, or the fields of one.
func (t Tool) show(file, name string) int {
	err := userdb.Show(file, func(key string, fields []userdb.Field) bool {
		if name == "" {
			fmt.Fprintln(t.Out, key)
			return true
		}
		if key != name {
			return true
		}
		for _, f := range fields {
			if f.Bare {
				fmt.Fprintln(t.Out, f.Name)
			} else {
				fmt.Fprintln(t.Out, f.Name+"="+f.Value)
			}
		}
		return false
	})
	if err != nil && !os.IsNotExist(err) { // as Courier: nothing is there
		return t.fail("%v", err)
	}
	return 0
}

// set changes fields, or appends a record. Values that are not given are read. A
// file that is missing is made.
func (t Tool) set(file, name string, args []string) int {
	var set []userdb.Field
	in := bufio.NewReaderSize(t.In, maxLine)
	for _, arg := range args {
		field, value, given := strings.Cut(arg, "=")
		if !given {
			if _, tty := t.terminal(); tty {
				fmt.Fprintf(t.Out, "%s.%s: ", name, field)
			}
			var err error
			if value, err = line(in); err != nil {
				return 1
			}
			if strings.Contains(value, "|") {
				return t.fail("Invalid value.")
			}
		}
		set = append(set, userdb.Field{Name: field, Value: value})
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return t.fail("%v", err)
	}
	f.Close()
	return t.change(file, name, true, func(fields []userdb.Field) []userdb.Field {
		for _, f := range set {
			fields = userdb.SetField(fields, f)
		}
		return fields
	})
}

// change edits one record; where there is none and it may not be made, nothing
// happens.
func (t Tool) change(file, name string, create bool, edit func([]userdb.Field) []userdb.Field) int {
	err := userdb.Edit(file, name, func(fields []userdb.Field, found bool) ([]userdb.Field, error) {
		if !found && !create {
			return nil, nil
		}
		fields = edit(fields)
		if fields == nil && found && create {
			fields = []userdb.Field{}
		}
		return fields, nil
	})
	if err != nil && (create || !os.IsNotExist(err)) {
		return t.fail("%v", err)
	}
	return 0
}

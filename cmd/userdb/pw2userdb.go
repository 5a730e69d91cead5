package userdb

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Convert is the program pw2userdb: it prints the accounts of passwd and shadow in
// the form of a userdb, in the order of the file. The options are those that
// Courier's has: -passwd FILE, -shadow FILE, -noshadow, -nouid, -domain NAME, each
// with one hyphen or two and "=" or a blank before its value.
func (t Tool) Convert() int {
	o := convertOptions{passwd: "/etc/passwd", shadow: "/etc/shadow"}
	if !o.parse(t.Args) {
		return t.fail("Invalid options.")
	}
	hashes := make(map[string]string)
	if info, err := os.Stat(o.shadow); !o.noShadow && err == nil && info.Mode().IsRegular() {
		if err := eachEntry(o.shadow, func(f []string) {
			if len(f) > 1 {
				hashes[f[0]] = f[1]
			}
		}); err != nil {
			return t.fail("%v", err)
		}
	}
	out := bufio.NewWriter(t.Out)
	err := eachEntry(o.passwd, func(f []string) {
		if len(f) < 7 {
			fmt.Fprintf(t.Err, "%s: the entry of %q is not complete\n", o.passwd, f[0])
			return
		}
		stored, found := hashes[f[0]]
		if !found && f[1] != "x" {
			stored = f[1]
		}
		fmt.Fprintf(out, "%s%s\tuid=%s|gid=%s|home=%s", f[0], o.domain, f[2], f[3], f[5])
		for _, item := range []struct{ name, value string }{{"shell", f[6]}, {"systempw", stored}, {"gecos", strings.ReplaceAll(f[4], "|", ".")}} {
			if item.value != "" {
				fmt.Fprintf(out, "|%s=%s", item.name, item.value)
			}
		}
		fmt.Fprintln(out)
		if !o.noUID {
			fmt.Fprintf(out, "%s=\t%s\n", f[2], f[0])
		}
	})
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return t.fail("%v", err)
	}
	return 0
}

type convertOptions struct {
	passwd, shadow, domain string
	noShadow, noUID        bool
}

func (o *convertOptions) parse(args []string) bool {
	for len(args) > 0 {
		name, value, given := strings.Cut(strings.TrimLeft(args[0], "-"), "=")
		if !strings.HasPrefix(args[0], "-") {
			return false
		}
		args = args[1:]
		flag, text := map[string]*bool{"noshadow": &o.noShadow, "nouid": &o.noUID}[name],
			map[string]*string{"passwd": &o.passwd, "shadow": &o.shadow, "domain": &o.domain}[name]
		switch {
		case flag != nil && !given:
			*flag = true
			continue
		case text == nil:
			return false
		case !given && len(args) == 0:
			return false
		case !given:
			value, args = args[0], args[1:]
		}
		*text = value
	}
	if o.domain != "" {
		o.domain = "@" + o.domain
	}
	return true
}

// eachEntry reads a file of lines with fields between colons.
func eachEntry(path string, take func(fields []string)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Mode()&fs.ModeDir != 0 {
		return fmt.Errorf("%s: not a file", path)
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if text := lines.Text(); text != "" && text[0] != '#' {
			take(strings.Split(text, ":"))
		}
	}
	return lines.Err()
}

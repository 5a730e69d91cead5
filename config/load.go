package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options say where settings come from.
type Options struct {
	CourierDir  string   // read imapd, imapd-ssl and authdaemonrc of this directory
	File        string   // or this one file
	FileMissing bool     // File need not exist
	Courier     bool     // Courier's defaults, and the environment is what its scripts made of its files
	Environment []string // NAME=value, overrides the files; names that are no settings are ignored
}

// Load reads the settings. It returns what it could read even when there are
// mistakes: the error joins them all, each a Mistake.
func Load(o Options) (*Loaded, error) {
	assignments, mistakes := readFiles(o)
	found := make(map[string]Assignment)
	for _, a := range assignments {
		found[a.Name] = a
	}
	loaded := &Loaded{Config: Config{AuthDir: o.dir()}}
	known := make(map[string]bool)
	courier := o.CourierDir != "" || o.Courier
	settings := Settings()
	for i := range settings {
		s := &settings[i]
		known[s.Name] = true
		v := Value{Setting: s, Text: s.DefaultFor(courier), Source: "default"}
		at := Mistake{File: "default"}
		a, ok := found[s.Name]
		if ok && o.CourierDir != "" {
			if v.Note = shipped(a); v.Note != "" {
				ok = false
				loaded.Notes = append(loaded.Notes, Mistake{a.File, a.Line, a.Name + ": " + v.Note})
			}
		}
		if ok {
			v.Text, v.Source, at = a.Value, fmt.Sprintf("%s:%d", a.File, a.Line), Mistake{File: a.File, Line: a.Line}
		}
		if text, ok := lookup(o.Environment, s.Name); ok && !(o.Courier && shipped(Assignment{Name: s.Name, Value: text}) != "") {
			v.Text, v.Source, v.Note, at = text, "environment", "", Mistake{File: "environment"}
		}
		if s.apply != nil {
			if err := s.apply(&loaded.Config, v.Text); err != nil {
				at.Text = s.Name + ": " + err.Error()
				mistakes = append(mistakes, at)
			}
		}
		loaded.Values = append(loaded.Values, v)
	}
	mistakes = append(mistakes, loaded.fillAddresses()...)
	if c := &loaded.Config; c.CertFile == "" && len(c.ACME.Names) > 0 {
		c.CertFile = filepath.Join(c.ACME.Dir, "imapd.pem")
	}
	loaded.Notes = append(loaded.Notes, notes(assignments, known)...)
	return loaded, join(mistakes)
}

// dir is where the files are, and those of the modules of accounts beside them.
func (o Options) dir() string {
	switch {
	case o.CourierDir != "":
		return o.CourierDir
	case o.File != "":
		return filepath.Dir(o.File)
	}
	return "/etc/postrider"
}

// readFiles reads the files in the order in which Debian's scripts source them.
func readFiles(o Options) (all []Assignment, mistakes []Mistake) {
	files := []string{o.File}
	if o.CourierDir != "" {
		files = []string{filepath.Join(o.CourierDir, "imapd"), filepath.Join(o.CourierDir, "imapd-ssl"), filepath.Join(o.CourierDir, "authdaemonrc")}
	}
	return o.readAll(files)
}

// readAll reads files in their order, each with what those before assigned.
func (o Options) readAll(files []string) (all []Assignment, mistakes []Mistake) {
	known := make(map[string]string)
	for i, file := range files {
		if file == "" {
			continue
		}
		text, err := readFile(file)
		if err != nil {
			// Only the first must exist: not everybody serves TLS.
			if !errors.Is(err, fs.ErrNotExist) || i == 0 && !o.FileMissing {
				mistakes = append(mistakes, Mistake{File: file, Text: err.Error()})
			}
			continue
		}
		got, wrong := parseAssignments(file, text, known)
		for _, a := range got {
			known[a.Name] = a.Value
		}
		all, mistakes = append(all, got...), append(mistakes, wrong...)
	}
	return all, mistakes
}

func readFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err == nil && len(text) > MaxFile {
		err = fmt.Errorf("larger than %d bytes", MaxFile)
	}
	return string(text), err
}

func lookup(environment []string, name string) (string, bool) {
	for _, e := range slices.Backward(environment) {
		if k, v, ok := strings.Cut(e, "="); ok && k == name {
			return v, true
		}
	}
	return "", false
}

// fillAddresses gives the ports without an address that of their setting.
func (l *Loaded) fillAddresses() (mistakes []Mistake) {
	for _, pair := range []struct {
		setting string
		list    []string
	}{{"ADDRESS", l.Config.Listen}, {"SSLADDRESS", l.Config.ListenTLS}} {
		address := l.Text(pair.setting)
		if address == "0" {
			address = ""
		}
		if address != "" && net.ParseIP(address) == nil {
			mistakes = append(mistakes, l.At(pair.setting, fmt.Sprintf("%s: %q is no address", pair.setting, address)))
		}
		for i, at := range pair.list {
			host, port, _ := net.SplitHostPort(at)
			switch host {
			case "":
				host = address
			case "0":
				host = ""
			}
			pair.list[i] = net.JoinHostPort(host, port)
		}
	}
	return mistakes
}

// Text is the text of a setting as it came out, "" for a name that is none.
func (l *Loaded) Text(name string) string {
	for _, v := range l.Values {
		if v.Name == name {
			return v.Text
		}
	}
	return ""
}

// IsDefault reports whether nobody has set a setting.
func (l *Loaded) IsDefault(name string) bool { return l.source(name) == "default" }

// At is a mistake in the value of a setting: it says where that was set.
func (l *Loaded) At(name, text string) Mistake {
	return Mistake{File: l.source(name), Text: text}
}

func (l *Loaded) source(name string) string {
	for _, v := range l.Values {
		if v.Name == name {
			return v.Source
		}
	}
	return ""
}

func notes(assignments []Assignment, known map[string]bool) (notes []Mistake) {
	for _, a := range assignments {
		if known[a.Name] {
			continue
		}
		why, ok := acceptedName(a.Name)
		if !ok {
			why = "no setting of this name is known; it is passed over"
		}
		notes = append(notes, Mistake{a.File, a.Line, a.Name + ": " + why})
	}
	return notes
}

func join(mistakes []Mistake) error {
	errs := make([]error, len(mistakes))
	for i, m := range mistakes {
		errs[i] = m
	}
	return errors.Join(errs...)
}

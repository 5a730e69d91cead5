package main

import (
	"path/filepath"
	"slices"

	"postrider/cmd/imaplogin"
)

// calledAs is the words that a name of this program stands for: Courier's programs are
// links to it.
func calledAs(argv0 string) []string {
	name := filepath.Base(argv0)
	switch {
	case name == "imapd", name == "imaplogin", name == "authdaemond", slices.Contains(toolNames(), name),
		slices.ContainsFunc(programs(), func(p program) bool { return p.name == name }):
		return []string{name}
	case slices.Contains(imaplogin.ModuleNames(), name):
		return []string{"auth-module", name}
	}
	return nil
}

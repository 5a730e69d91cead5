// Package postrider_test holds the house rules: which package may import which,
// that each says what it is, and what no package does. A change of these tables
// is a change of the plan.
package postrider_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// mayImport is the floor plan, from the ground up: a package, and those of ours
// that it may import. A package below another's directory (vfs/memfs,
// auth/userdb) may import that package and what that package may import; what
// stands here for it comes on top.
var mayImport = map[string]string{
	// 0: nouns, and the file system as an interface
	"mail": "",
	"vfs":  "",
	// 1: formats: bytes to values and back
	"imap":    "mail",
	"message": "",
	"maildir": "mail vfs",
	"index":   "mail vfs",
	"sasl":    "",
	// messages between processes of ours
	"packet": "",
	// 2: engines
	"mailbox": "mail vfs message index",
	"search":  "mail message",
	"watch":   "vfs",
	"auth":    "sasl",
	"wire":    "imap",
	// a server's certificates as files
	"certificate": "",
	// 3: a user's tree
	"account": "mail vfs maildir mailbox watch",
	// 4: the conversation, before and after the password
	"login":   "imap wire auth sasl",
	"session": "mail imap wire message search mailbox account",
	// 5: listeners
	"serve": "imap wire login auth certificate sasl", // imap: floors 4 and 5 are those that make a status
	// 6: settings and figures
	"config":  "",
	"metrics": "serve account watch",
	// a client, to look at servers from outside: it shares nothing with ours
	"verify": "",
	// 7: the programs: wiring, so they may import all
	"cmd": "*",

	// sub-packages that need more than what they lie below
	"auth/userdb":      "auth/password",
	"auth/passwd":      "auth/password auth/textfile",
	"auth/textfile":    "",
	"auth/pam":         "",
	"auth/static":      "auth/password",
	"auth/authdaemon":  "auth/socket",
	"auth/dovecot":     "auth/socket",
	"auth/conformance": "auth/password",
	"auth/remote":      "packet", // the password is checked in another process
	"auth/rcfile":      "",
	"auth/oauth":       "",
	"auth/ldap":        "auth/password auth/rcfile",
	"auth/sqlquery":    "auth/password auth/rcfile",
	"auth/mysql":       "auth/password auth/rcfile auth/sqlquery",
	"auth/pgsql":       "auth/password auth/rcfile auth/sqlquery",
	"auth/sqlite":      "auth/password auth/rcfile auth/sqlquery",

	// for tests only: transcripts of several clients
	"transcript": "mail",
	"e2e":        "",
}

// forTests are packages that only test files may import.
var forTests = []string{"transcript", "vfs/memfs", "vfs/faultfs", "watch/watchtest", "auth/conformance", "auth/dbtest", "auth/sqlquery/sqltest"}

// neverReach are the walls that matter most, held against all that a package
// links, however it comes to it.
var neverReach = []struct{ from, to, why string }{
	{"login", "account", "what a stranger reaches before the password contains no mail code"},
	{"login", "mailbox", "what a stranger reaches before the password contains no mail code"},
	{"login", "maildir", "what a stranger reaches before the password contains no mail code"},
	{"cmd/imaplogin", "session", "what a stranger reaches before the password contains no mail code"},
	{"cmd/imaplogin", "account", "what a stranger reaches before the password contains no mail code"},
	{"cmd/imaplogin", "mailbox", "what a stranger reaches before the password contains no mail code"},
	{"cmd/imaplogin", "maildir", "what a stranger reaches before the password contains no mail code"},
	{"cmd/couriertcpd", "session", "what a stranger reaches before the password contains no mail code"},
	{"cmd/couriertcpd", "account", "what a stranger reaches before the password contains no mail code"},
	{"cmd/couriertcpd", "mailbox", "what a stranger reaches before the password contains no mail code"},
	{"cmd/couriertcpd", "maildir", "what a stranger reaches before the password contains no mail code"},
	{"cmd/couriertls", "session", "what a stranger reaches before the password contains no mail code"},
	{"cmd/couriertls", "account", "what a stranger reaches before the password contains no mail code"},
	{"cmd/couriertls", "mailbox", "what a stranger reaches before the password contains no mail code"},
	{"cmd/couriertls", "maildir", "what a stranger reaches before the password contains no mail code"},
	{"serve", "session", "a front without mail code can be linked"},
	{"cmd/postrider-front", "account", "the process that strangers reach contains no mail code"},
	{"cmd/postrider-front", "mailbox", "the process that strangers reach contains no mail code"},
	{"cmd/postrider-front", "maildir", "the process that strangers reach contains no mail code"},
	{"cmd/postrider-front", "session", "the process that strangers reach contains no mail code"},
	{"cmd/postrider-front", "index", "the process that strangers reach contains no mail code"},
	{"cmd/postrider-front", "vfs", "the process that strangers reach opens no mail"},
	{"cmd/postrider-front", "cmd/accounts", "the process that strangers reach knows no backend of accounts"},
	{"cmd/postrider-front", "auth/password", "the process that strangers reach sees no stored password"},
	{"cmd/parent", "session", "the parent passes on, and looks at nothing"},
	{"cmd/parent", "account", "the parent passes on, and looks at nothing"},
	{"serve", "account", "a front without mail code can be linked"},
	{"session", "auth", "a session knows who somebody is, not how that was proved"},
	{"session", "sasl", "a session knows who somebody is, not how that was proved"},
	{"maildir", "mailbox", "account marries them"},
	{"mailbox", "maildir", "account marries them"},
	{"account", "imap", "the engines do not speak"},
	{"search", "imap", "the engines do not speak"},
}

// module is the prefix of our import paths.
const module = "postrider/"

// pkg is what go list says of a package.
type pkg struct {
	ImportPath, Dir, Doc      string
	GoFiles                   []string
	Imports, Deps             []string
	TestImports, XTestImports []string
}

// list is every package of ours, by import path without the module's prefix.
var list = sync.OnceValues(func() (map[string]*pkg, error) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,GoFiles,Imports,Deps,TestImports,XTestImports", "./...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = errors.New(string(exit.Stderr))
		}
		return nil, err
	}
	packages := make(map[string]*pkg)
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		p := new(pkg)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		if name, ours := strings.CutPrefix(p.ImportPath, module); ours {
			packages[name] = p
		}
	}
})

func packages(t *testing.T) map[string]*pkg {
	t.Helper()
	all, err := list()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	if len(all) == 0 {
		t.Fatal("go list finds no package of ours")
	}
	return all
}

// ours is the names among the import paths that are packages of ours.
func ours(paths []string) []string {
	var names []string
	for _, path := range paths {
		if name, ok := strings.CutPrefix(path, module); ok {
			names = append(names, name)
		}
	}
	return names
}

// allowed is what the plan lets a package import, and whether it stands there.
func allowed(name string) (imports []string, planned bool) {
	for at := name; ; {
		words, ok := mayImport[at]
		planned = planned || ok
		imports = append(imports, strings.Fields(words)...)
		slash := strings.LastIndexByte(at, '/')
		if slash < 0 {
			return imports, planned
		}
		at = at[:slash]
		imports = append(imports, at)
	}
}

func TestPlan(t *testing.T) {
	for name, p := range packages(t) {
		may, planned := allowed(name)
		if !planned {
			t.Errorf("%s: not in the plan: give it its floor in mayImport", name)
			continue
		}
		if slices.Contains(may, "*") {
			continue
		}
		for _, imported := range ours(p.Imports) {
			if !slices.Contains(may, imported) {
				t.Errorf("%s imports %s: the plan allows it only %q", name, imported, may)
			}
		}
	}
}

func TestPlanNamesWhatExists(t *testing.T) {
	all := packages(t)
	for name := range mayImport {
		if name == "cmd" {
			continue
		}
		if all[name] == nil {
			t.Errorf("the plan names %s, which is no package", name)
		}
	}
	for _, name := range forTests {
		if all[name] == nil {
			t.Errorf("forTests names %s, which is no package", name)
		}
	}
}

func TestPackagesForTestsAreNotLinked(t *testing.T) {
	for name, p := range packages(t) {
		for _, imported := range ours(p.Imports) {
			if slices.Contains(forTests, imported) && !slices.Contains(forTests, name) {
				t.Errorf("%s imports %s, which is for tests", name, imported)
			}
		}
	}
}

func TestWalls(t *testing.T) {
	all := packages(t)
	for _, wall := range neverReach {
		p := all[wall.from]
		if p == nil {
			t.Errorf("no package %s", wall.from)
			continue
		}
		for _, dep := range ours(p.Deps) {
			if dep == wall.to || strings.HasPrefix(dep, wall.to+"/") {
				t.Errorf("%s reaches %s, but %s", wall.from, dep, wall.why)
			}
		}
	}
}

// TestOneHouseOfWiring: nobody but cmd knows the configuration or the figures.
func TestOneHouseOfWiring(t *testing.T) {
	for name, p := range packages(t) {
		if strings.HasPrefix(name, "cmd/") || name == "config" || name == "metrics" {
			continue
		}
		for _, imported := range ours(slices.Concat(p.Imports, p.TestImports, p.XTestImports)) {
			if imported == "config" || imported == "metrics" {
				t.Errorf("%s imports %s; values are given to it by cmd", name, imported)
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	for name, p := range packages(t) {
		if len(p.GoFiles) > 0 && len(strings.Fields(p.Doc)) < 5 {
			t.Errorf("%s: its package comment does not say what it owns and what it does not know", name)
		}
	}
}

package accounts_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postrider/auth"
	"postrider/cmd/accounts"
	"postrider/config"
)

// A module that is not there is passed over, as courier-authlib does; a list of
// nothing else is a mistake that names what there is.
func TestModules(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c := &config.Config{Modules: []string{"authnowhere", "authuserdb"}, Userdb: dir}
	if _, err := accounts.Open(c, slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
	c.Modules = []string{"authnowhere"}
	if _, err := accounts.Open(c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "authuserdb") {
		t.Errorf("got %v", err)
	}
}

// TestLocalModules opens each module of the system and asks it.
func TestLocalModules(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const hash = "$1$G7S2eOoF$qtcmuN7EnfGYwKVPTw9tR." // secret
	c := &config.Config{
		PasswdFile:      write("passwd", "ann:"+hash+":1000:1000:Ann:/home/ann:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\n", 0o600),
		ShadowFile:      write("shadow", "bob:"+hash+":1::::::\n", 0o600),
		PAMHelper:       write("pam", "#!/bin/sh\ncat >/dev/null; printf 'postrider-pam 1\\0accepted\\0\\0eve\\0001004\\0001004\\0Eve\\0/home/eve\\0' >&3\n", 0o700),
		AuthpipeProgram: write("pipe", "#!/bin/sh\nread a; printf 'ADDRESS=cat\\nUID=1002\\nGID=1002\\nHOME=/home/cat\\n.\\n'; cat >/dev/null\n", 0o700),
		AuthProgram:     write("program", "#!/bin/sh\nread v; read i; printf '%s\\nADDRESS=dan\\nUID=1003\\nGID=1003\\nHOME=/home/dan\\n.\\n' \"$i\"; cat >/dev/null\n", 0o700),
		DefaultOptions:  "disablepop3=1", AuthProcesses: 1,
	}
	logger := slog.New(slog.DiscardHandler)
	for module, login := range map[string]string{"authpwd": "ann", "authshadow": "bob", "authpipe": "cat", "authcustom": "dan", "authpam": "eve"} {
		c.Modules = []string{module}
		backend, err := accounts.Open(c, logger)
		if err != nil {
			t.Errorf("%s: %v", module, err)
			continue
		}
		id, err := backend.Authenticate(t.Context(), auth.Request{Login: login, Service: "imap"}, "secret")
		if err != nil || id.Home != "/home/"+login || id.Options.Int("disablepop3") != 1 {
			t.Errorf("%s: %+v, %v", module, id, err)
		}
	}
	for module, spoil := range map[string]func(*config.Config){
		"authpwd": func(c *config.Config) { c.PasswdFile += "x" }, "authshadow": func(c *config.Config) { c.ShadowFile += "x" },
		"authpam": func(c *config.Config) { c.PAMHelper += "x" }, "authpipe": func(c *config.Config) { c.AuthpipeProgram = dir }, "authcustom": func(c *config.Config) { c.AuthProgram = "" },
	} {
		bad := *c
		bad.Modules = []string{module}
		spoil(&bad)
		if _, err := accounts.Open(&bad, logger); err == nil {
			t.Errorf("%s was opened", module)
		}
	}
}

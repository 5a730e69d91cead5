package accounts_test

import (
	"log/slog"
	"os"
	"strings"
	"testing"

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

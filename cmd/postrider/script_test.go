package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the scripts run the program under its two names.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"postrider": main, "imapd": main})
}

// TestScripts runs testdata/script: the program as its user starts it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}

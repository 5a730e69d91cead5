package main

import (
	"errors"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the scripts run the program under its names.
func TestMain(m *testing.M) {
	programs := map[string]func(){"postrider": main, "imapd": main}
	for _, name := range toolNames() {
		programs[name] = main
	}
	testscript.Main(m, programs)
}

// TestScripts runs testdata/script: the program as its user starts it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status}})
}

// status runs a program that must end with a status: status N program arguments.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program arguments")
	}
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || strconv.Itoa(exit.ExitCode()) != args[0] {
		ts.Fatalf("it ended with %v, not with status %s", err, args[0])
	}
}

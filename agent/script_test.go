package agent

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"brownout": func() { os.Exit(Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the transcripts of the command line.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireUniqueNames: true, Cmds: scriptCommands})
}

var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	// exit2 runs a command that must exit 2.
	"exit2": func(ts *testscript.TestScript, _ bool, args []string) { mustExit(ts, 2, args) },
	"exit1": func(ts *testscript.TestScript, _ bool, args []string) { mustExit(ts, 1, args) },
	"exit3": func(ts *testscript.TestScript, _ bool, args []string) { mustExit(ts, 3, args) },
}

func mustExit(ts *testscript.TestScript, want int, args []string) {
	var exit *exec.ExitError
	err := ts.Exec(args[0], args[1:]...)
	if !errors.As(err, &exit) || exit.ExitCode() != want {
		ts.Fatalf("%v: %v, want exit code %d", args, err, want)
	}
}

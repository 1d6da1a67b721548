package agent

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childStore); path != "" {
		os.Exit(runChild(path))
	}
	testscript.Main(m, map[string]func(){
		"brownout": func() { os.Exit(Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the transcripts of the command line.
func TestScripts(t *testing.T) {
	rounds, err := filepath.Abs(fixture)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireUniqueNames: true, Cmds: scriptCommands, Condition: condition,
		Setup: func(env *testscript.Env) error {
			env.Setenv("ROUNDS", rounds)
			return nil
		},
	})
}

// condition knows [icmp]: an ICMP socket may be opened. On CI none of what needs one may be skipped.
func condition(name string) (bool, error) {
	if name != "icmp" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	s, err := probe.OpenSweeper(probe.SweeperConfig{}, []probe.Protocol{probe.ICMP})
	if err != nil {
		return os.Getenv("CI") != "", nil
	}
	return true, s.Close()
}

var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	// exit2 runs a command that must exit 2.
	"exit2": func(ts *testscript.TestScript, _ bool, args []string) { mustExit(ts, 2, args) },
	"exit1": func(ts *testscript.TestScript, _ bool, args []string) { mustExit(ts, 1, args) },
	// store PATH ROUNDS makes a store of recorded rounds.
	"store": func(ts *testscript.TestScript, _ bool, args []string) {
		ts.Check(fillStore(ts.MkAbs(args[0]), args[1]))
	},
	// serve PATH answers on a store's socket, like a running agent, until the script ends.
	"serve": func(ts *testscript.TestScript, _ bool, args []string) { ts.Defer(serveStore(ts, ts.MkAbs(args[0]))) },
	// upgrade PATH makes what a store has learned that of another version.
	"upgrade": func(ts *testscript.TestScript, _ bool, args []string) {
		s, err := store.Open(ts.MkAbs(args[0]), store.Options{})
		ts.Check(err)
		ts.Check(s.Commit(store.Commit{Detector: []byte{0}}))
		ts.Check(s.Close())
	},
	// oldstore PATH makes a store of schema 1.
	"oldstore": func(ts *testscript.TestScript, _ bool, args []string) {
		b, err := oldStore()
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
	},
	// first-id VAR FILE sets a variable to the ID of the first outage of a list.
	"first-id": func(ts *testscript.TestScript, _ bool, args []string) {
		var list []outage.Outage
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &list))
		ts.Setenv(args[0], list[0].ID)
	},
	"exit3": func(ts *testscript.TestScript, _ bool, args []string) { mustExit(ts, 3, args) },
}

// oldStore reads the golden store of schema 1.
func oldStore() ([]byte, error) {
	f, err := os.Open("../store/testdata/store.v1.db.gz")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(in)
}

func serveStore(ts *testscript.TestScript, path string) (stop func()) {
	s, err := store.Open(path, store.Options{})
	ts.Check(err)
	l, err := web.ListenSocket(path)
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	h := web.Handler(s, web.Options{Live: func() *web.Agent { return &web.Agent{Version: "test", Vantage: "fra1", Healthy: true, Checked: true} }})
	go func() {
		served <- web.Serve(ctx, caring(s, slog.New(slog.DiscardHandler), h), nil, web.Listener{Listener: l})
	}()
	return func() {
		cancel()
		ts.Check(<-served)
		ts.Check(s.Close())
	}
}

func mustExit(ts *testscript.TestScript, want int, args []string) {
	var exit *exec.ExitError
	err := ts.Exec(args[0], args[1:]...)
	if !errors.As(err, &exit) || exit.ExitCode() != want {
		ts.Fatalf("%v: %v, want exit code %d", args, err, want)
	}
}

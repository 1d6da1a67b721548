package store

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"brownout/probe"
	"brownout/probe/outage"
)

var crashRuns = flag.Int("crashes", 20, "how many times a writer is killed")

const crashEnv = "BROWNOUT_TEST_CRASH_STORE"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		if err := commitForever(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// commitForever writes rounds, first in part and then whole, packs and compacts, and says on stdout what it has committed.
func commitForever(path string) error {
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	st, err := s.Stats()
	if err != nil {
		return err
	}
	s.packAt = 4
	for n := st.Rounds - st.Open; ; n++ {
		if n%4 == 3 {
			if _, _, err := s.rewrite(nil, nil); err != nil {
				return err
			}
		}
		r := somePopulation(noTest{}, n)
		half := *r
		half.End, half.Passes = half.Start.Add(300_000), half.Passes[:2]
		if err := s.Commit(Commit{Rounds: []*probe.Round{&half}, Cursor: half.End}); err != nil {
			return err
		}
		fmt.Println(2 * n)
		f := outage.Findings{Summaries: someSummaries(r, n), Outages: []outage.Outage{someOutage(r.Start, true)},
			Changes: []outage.Change{{Block: outage.SpaceBlock, Since: r.Start, DeclaredAt: r.End}}}
		if err := s.Commit(Commit{Sealed: []*probe.Round{r}, Cursor: r.End, Detector: make([]byte, 9000+n), Findings: f}); err != nil {
			return err
		}
		fmt.Println(2*n + 1)
	}
}

// noTest stands for a test where there is none.
type noTest struct{ testing.TB }

func (noTest) Helper()           {}
func (noTest) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// A writer is killed at random moments: what it had said it had committed is there, whole, and everything verifies. A
// commit whose word did not get out may be there or not, but never by half.
func TestKill(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var path string
	done := -1
	for run := range *crashRuns {
		if run%20 == 0 { // a new store, for one that grows takes ever longer to check
			path, done = filepath.Join(t.TempDir(), "store.db"), -1
		}
		done = killWriter(t, self, path, done, 1+rand.IntN(40))
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatalf("after kill %d: %v", run+1, err)
		}
		checkCommitted(t, s, done)
		closeVerified(t, s)
		if names, err := os.ReadDir(filepath.Dir(path)); err != nil || len(names) != 1 {
			t.Errorf("files left over: %v, %v", names, err)
		}
		if t.Failed() {
			t.Fatalf("after kill %d, with step %d said to be committed", run+1, done)
		}
	}
}

// killWriter kills a writer some steps on, in the midst of the next, and returns the last step that it said it committed.
func killWriter(t *testing.T, self, path string, done, steps int) int {
	t.Helper()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), crashEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		if done, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
		if n == steps {
			spin(rand.IntN(3_000_000))
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd.Wait() // it was killed
	return done
}

var spun int

// spin passes a random part of a commit's time.
func spin(n int) {
	for i := range n {
		spun += i
	}
}

func checkCommitted(t *testing.T, s *Store, done int) {
	t.Helper()
	st, err := s.Stats()
	if err != nil {
		t.Fatal(err)
	}
	step := 2*st.Rounds - st.Open - 1
	if step < done || step > done+1 {
		t.Errorf("step %d is there, and %d was said to be committed", step, done)
	}
	n := 0
	for r, err := range s.Rounds(0, 1<<60, false) {
		if err != nil {
			t.Fatal(err)
		}
		if want := somePopulation(t, n); r.Start != want.Start || r.Seed != want.Seed || len(r.Passes) != 4 && n < st.Rounds-1 {
			t.Errorf("round %d is another: %v", n, r.Start)
		}
		n++
	}
	outages, err := s.Outages()
	if err != nil || len(outages) != st.Rounds-st.Open || n != st.Rounds {
		t.Errorf("%d outages, %d rounds of %d, %d open, %v", len(outages), n, st.Rounds, st.Open, err)
	}
	_, cursor, err := s.Detector()
	if last := somePopulation(t, st.Rounds-1); err != nil || st.Open == 1 && cursor != last.Start.Add(300_000) || st.Open == 0 && cursor != last.End {
		t.Errorf("cursor %v, %v", cursor, err)
	}
}

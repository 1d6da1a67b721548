package agent

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
	"brownout/store"
)

var kills = flag.Int("kills", 8, "how often to kill the agent of the crash test")

// childStore is the environment variable that makes this test binary an agent on a store, to be killed.
const childStore = "BROWNOUT_TEST_STORE"

// runChild is that agent: it plays a scenario, going on where the store ends, and says what it committed.
func runChild(path string) int {
	format := "json"
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: os.Stderr, talk: talk{os.Stderr}}
	o := &demoOptions{speed: 3000, format: &format, keep: path}
	inside, code, err := lab.Namespace()
	if !inside && err == nil {
		return code
	}
	o.inProcess = err != nil
	o.committed = func(f outage.Findings) { fmt.Println("committed", int64(f.Judged)) }
	scenario, err := readScenario("december-2014")
	if err == nil {
		_, err = a.playDemo(context.Background(), o, scenario)
	}
	return a.talk.failure(err)
}

// TestKilledAtAnyMoment kills the agent again and again. Whatever it had committed is there, the store is sound, and its
// rounds, exported and replayed, give the outages it holds, to the byte.
func TestKilledAtAnyMoment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "killed.db")
	var ended int // rounds that were over at the last kill
	for i := range *kills {
		committed := killOnce(t, path, time.Duration(300+rand.IntN(1200))*time.Millisecond)
		s, err := store.Open(path, store.Options{ReadOnly: true, Timeout: 10 * time.Second}) // the namespace dies a moment later
		if errors.Is(err, fs.ErrNotExist) && committed == 0 {
			continue // a busy machine: it was killed before it had made its store
		}
		if err != nil {
			t.Fatalf("after kill %d: %v", i, err)
		}
		if err := s.Verify(nil); err != nil {
			t.Errorf("after kill %d: %v", i, err)
		}
		if _, cursor, err := s.Detector(); err != nil || cursor < committed {
			t.Errorf("after kill %d: judged up to %v, and %v had been committed (%v)", i, cursor, committed, err)
		}
		stats, err := s.Stats()
		if err = errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		had := ended
		if ended = stats.Rounds - stats.Open; ended < had {
			t.Errorf("after kill %d: %d rounds, and %d were over before", i, ended, had)
		}
		if ended > 0 {
			same(t, path)
		} else if outages := command(t, nil, "outages", "--blocks", "--format", "csv", "--store", path); bytes.Count(outages, []byte("\n")) != 1 {
			t.Errorf("after kill %d: outages without a round: %s", i, outages) // or it was killed in its first round: nothing to replay
		}
	}
}

// killOnce runs the agent for a while, kills it, and returns the cursor that it had committed last.
func killOnce(t *testing.T, path string, after time.Duration) (committed probe.Instant) {
	t.Helper()
	c := exec.Command("/proc/self/exe", "-test.run=^$")
	c.Env = append(os.Environ(), childStore+"="+path)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { c.Process.Kill() })
	defer timer.Stop()
	for in := bufio.NewScanner(out); in.Scan(); {
		if n, ok := strings.CutPrefix(in.Text(), "committed "); ok {
			ms, err := strconv.ParseInt(n, 10, 64)
			if err != nil {
				continue // the last line may be cut
			}
			committed = probe.Instant(ms)
		}
	}
	c.Wait() // it was killed
	return committed
}

// same demands that the outages of a store and those of a replay of its export are the same, to the byte.
func same(t *testing.T, path string) {
	t.Helper()
	outages := command(t, nil, "outages", "--blocks", "--format", "json", "--store", path)
	export := command(t, nil, "export", "--store", path)
	replayed := command(t, export, "replay", "--blocks", "--format", "json", "-")
	if !bytes.Equal(outages, replayed) {
		t.Errorf("the store holds\n%s\nand a replay of its export finds\n%s", outages, replayed)
	}
}

func command(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	var out, talk bytes.Buffer
	if code := Run(t.Context(), args, bytes.NewReader(stdin), &out, &talk); code != 0 {
		t.Fatalf("brownout %s: exit %d: %s", strings.Join(args, " "), code, talk.String())
	}
	return out.Bytes()
}

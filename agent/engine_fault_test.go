package agent

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

// TestEngineSaysAtOnceThatItFailed makes the store fail in the middle of a round: the engine does not wait for the
// round's end to say so. Of a round that is not stored nothing is logged.
func TestEngineSaysAtOnceThatItFailed(t *testing.T) {
	s := simulated{name: "fails", hours: 1}
	path := filepath.Join(t.TempDir(), "engine.db")
	synctest.Test(t, func(t *testing.T) {
		e, closeAll := simulatedEngine(t, s.scenario(t, 1), path)
		defer closeAll()
		begun := time.Now()
		var log bytes.Buffer
		e.Log = slog.New(slog.NewTextHandler(&log, nil))
		e.Watch = func(v engineView) {
			if time.Since(begun) > 2*time.Minute {
				e.Store.Close()
			}
		}
		if err := e.run(t.Context()); !errors.Is(err, store.ErrClosed) || strings.Count(err.Error(), store.ErrClosed.Error()) > 1 {
			t.Errorf("the engine ended with %v", err)
		}
		if took := time.Since(begun); took > 4*time.Minute {
			t.Errorf("it took %v to say so", took)
		}
		if strings.Contains(log.String(), "msg=round") {
			t.Errorf("it logs a round that it did not store: %s", log.String())
		}
	})
}

// TestEngineLeap lets the clock leap, forward as after a sleep of the machine and back as when it is set, now and then
// while the uplink is down. No round goes on across a leap, nothing is invented, and a replay agrees.
func TestEngineLeap(t *testing.T) {
	for name, by := range map[string]int64{"forward": 3600_000, "back": -90_000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := simulated{name: "leap", hours: 5, timeline: phase("01T03:13:20", "01T03:53:20", "uplink-down")}
			scenario := s.scenario(t, 1)
			path := filepath.Join(t.TempDir(), "engine.db")
			synctest.Test(t, func(t *testing.T) {
				e, closeAll := simulatedEngine(t, scenario, path)
				defer closeAll()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				next := scenario.Start.Add(3 * 3600_000)
				e.Watch = func(v engineView) {
					if v.Now >= scenario.End {
						cancel()
					}
					if v.Now < next {
						return
					}
					e.reading.wall -= probe.Instant(by) // as if the clock had said that at this look
					next = v.Now.Add(17*60_000 + 1234)
				}
				if err := e.run(ctx); err != nil {
					t.Error(err)
				}
			})
			if found := sound(t, path); len(found) != 0 {
				t.Errorf("outages were invented: %v", found)
			}
			spansEndAtLeaps(t, path)
		})
	}
}

// spansEndAtLeaps demands that some full rounds of a store were cut short.
func spansEndAtLeaps(t *testing.T, path string) {
	t.Helper()
	s, err := store.Open(path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cut := 0
	for r, err := range s.Rounds(0, outage.EndOfTime, false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == probe.Full && int64(r.End-r.Start) < r.Span.Milliseconds()-60_000 {
			cut++
		}
	}
	if cut < 5 {
		t.Errorf("%d rounds were cut short: a leap ends a round", cut)
	}
}

// TestEngineKilledWhileBlind kills the engine at many moments of a failure of our own side. Of each round that is left
// behind, the silence since the failure is discarded, though nobody came to know of the failure.
func TestEngineKilledWhileBlind(t *testing.T) {
	s := simulated{name: "killed while blind", hours: 1, round: "1m", core: "0s", timeline: phase("01T00:30:20", "01T00:40:00", "uplink-down")}
	scenario := s.scenario(t, 1)
	dir := t.TempDir()
	fault := scenario.Timeline[0].From
	var copies []string
	synctest.Test(t, func(t *testing.T) {
		e, closeAll := simulatedEngine(t, scenario, filepath.Join(dir, "engine.db"))
		defer closeAll()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		next := fault.Add(5_000)
		e.Watch = func(v engineView) {
			if v.Now < next {
				return
			}
			next = v.Now.Add(9_000)
			copies = append(copies, filepath.Join(dir, next.String()))
			if err := e.Store.Backup(copies[len(copies)-1]); err != nil {
				t.Error(err)
			}
			if v.Now > fault.Add(120_000) {
				cancel()
			}
		}
		if err := e.run(ctx); err != nil {
			t.Error(err)
		}
	})
	for _, path := range copies {
		discardsSince(t, path, fault)
	}
}

// discardsSince demands that the latest round of a store discards its silence from shortly after a moment on.
func discardsSince(t *testing.T, path string, fault probe.Instant) {
	t.Helper()
	const pingInterval = 10_000
	s, err := store.Open(path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for r, err := range s.Rounds(0, outage.EndOfTime, true) {
		if err != nil {
			t.Fatal(err)
		}
		w := r.Witness()
		for pass := range r.Passes {
			for target := range int32(r.Passes[pass].Targets.Len()) {
				outcome, _, offset, trusted := w.Of(pass, target)
				if at := r.Start.Add(int64(offset)); trusted && outcome.Silence() && at > fault.Add(pingInterval) {
					t.Errorf("%s: the round of %v counts the silence of %v", path, r.Start, at)
				}
			}
		}
		return
	}
}

// TestEngineKeepsItsBlocks refuses to go on by other blocks than those of the store.
func TestEngineKeepsItsBlocks(t *testing.T) {
	s := simulated{name: "blocks", hours: 1}
	scenario := s.scenario(t, 1)
	path := filepath.Join(t.TempDir(), "engine.db")
	synctest.Test(t, func(t *testing.T) {
		engineLife(t, scenario, path, scenario.Start.Add(60_000), "")
		scenario.Demo.BlockBits = 26
		e, closeAll := simulatedEngine(t, scenario, path)
		defer closeAll()
		if err := e.run(t.Context()); err == nil || codeOf(err) != exitFailure {
			t.Errorf("the engine ended with %v", err)
		}
	})
}

// TestInProcessNeedsNoSocket proves that a demonstration in process replaces every socket: nothing leaves the machine.
func TestInProcessNeedsNoSocket(t *testing.T) {
	s := simulated{name: "in process", hours: 1}
	sim, err := openSimulation(t.Context(), &demoOptions{inProcess: true}, s.scenario(t, 1), &probe.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.close()
	if sim.seams.openWire == nil || sim.seams.ping == nil {
		t.Error("a real socket would be opened")
	}
}

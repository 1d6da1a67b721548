package agent

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

// TestEngineSaysAtOnceThatItFailed makes the store fail in the middle of a round: the engine does not wait for the
// round's end to say so.
func TestEngineSaysAtOnceThatItFailed(t *testing.T) {
	s := simulated{name: "fails", hours: 1}
	path := filepath.Join(t.TempDir(), "engine.db")
	synctest.Test(t, func(t *testing.T) {
		e, closeAll := simulatedEngine(t, s.scenario(t, 1), path)
		defer closeAll()
		begun := time.Now()
		e.Watch = func(v engineView) {
			if time.Since(begun) > 2*time.Minute {
				e.Store.Close()
			}
		}
		if err := e.run(t.Context()); !errors.Is(err, store.ErrClosed) {
			t.Errorf("the engine ended with %v", err)
		}
		if took := time.Since(begun); took > 4*time.Minute {
			t.Errorf("it took %v to say so", took)
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

package agent

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

// TestEngineStopIsNoFault stops the engine at moments of a round, before, in and after an outage. What its stop cut off is
// no evidence: the store says neither that our own connectivity was bad nor that anybody was silent, also once the engine
// has gone on.
func TestEngineStopIsNoFault(t *testing.T) {
	s := simulated{name: "stop", hours: 4, timeline: phase("01T02:33:20", "01T02:53:20", "total")}
	for _, core := range []string{"60s", "0s"} {
		s.core = core
		scenario := s.scenario(t, 1)
		for minutes, want := range map[int64]outage.State{145: outage.Up, 165: outage.Total, 205: outage.Up} {
			for _, seconds := range []int64{0, 7} {
				t.Run(fmt.Sprintf("core %s, %d min %d s", core, minutes, seconds), func(t *testing.T) {
					t.Parallel()
					path := filepath.Join(t.TempDir(), "engine.db")
					synctest.Test(t, func(t *testing.T) {
						engineLife(t, scenario, path, scenario.Start.Add(minutes*60_000+seconds*1000), "")
						stands(t, path, want)
						time.Sleep(5 * time.Second)
						engineLife(t, scenario, path, probe.InstantOf(time.Now()).Add(20_000), "")
						stands(t, path, want)
					})
					sound(t, path)
				})
			}
		}
	}
}

// TestEngineStopsWhileInDoubt stops the engine while its uplink has been down for too short a time to know. What was silent
// since is nobody's silence, and of our own connectivity nothing is said that was not found out.
func TestEngineStopsWhileInDoubt(t *testing.T) {
	s := simulated{name: "in doubt", hours: 4, timeline: phase("01T02:33:20", "01T02:53:20", "uplink-down")}
	scenario := s.scenario(t, 1)
	fault := scenario.Timeline[0].From
	for _, seconds := range []int64{2, 6, 12, 18} {
		t.Run(fmt.Sprint(seconds), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "engine.db")
			synctest.Test(t, func(t *testing.T) { engineLife(t, scenario, path, fault.Add(seconds*1000), "") })
			stands(t, path, outage.Up)
			discardsSince(t, path, fault)
			sound(t, path)
		})
	}
}

// stands demands that a store says that the space is in a state, has been in no unknown one, and that our own connectivity
// was never bad.
func stands(t *testing.T, path string, want outage.State) {
	t.Helper()
	s, err := store.Open(path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if whole := spaceOf(t, s); whole.State != want || whole.Reason != "" {
		t.Errorf("the space is %v %q, want %v", whole.State, whole.Reason, want)
	}
	neverUnknown(t, s)
	figures, err := s.Summaries(outage.SpaceBlock, 0, outage.EndOfTime)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if asked := f.End - f.Start; asked < 590_000 { // of 660 s
			t.Errorf("the round of %v has a figure, and asked for %d ms", f.Start, asked)
		}
	}
	for r, err := range s.Rounds(0, outage.EndOfTime, true) {
		if err != nil {
			t.Fatal(err)
		}
		if !r.VantageOK || len(r.VantageBad) > 0 {
			t.Errorf("our own connectivity was bad in the %v of %v: %v", r.Kind, r.Start, r.VantageBad)
		}
	}
}

// neverUnknown demands that a store never said of any block that its state is unknown.
func neverUnknown(t *testing.T, s *store.Store) {
	t.Helper()
	names, err := s.Blocks()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		said, err := s.Said(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range said {
			if c.State == outage.Unknown {
				t.Errorf("%s was said to be unknown from %v on: %s", name, c.Since, c.Reason)
			}
		}
	}
}

// TestDemoStopIsNoFault plays some hours of a demo, over real time: what it keeps says that the space is up.
func TestDemoStopIsNoFault(t *testing.T) {
	t.Parallel()
	scenario, err := readScenario("steady")
	if err != nil {
		t.Fatal(err)
	}
	scenario.End = scenario.Start.Add(3 * 3600_000)
	a := &app{stdout: io.Discard, stderr: io.Discard, talk: talk{io.Discard}}
	format := "json"
	path := filepath.Join(t.TempDir(), "demo.db")
	if _, err := a.playDemo(t.Context(), &demoOptions{speed: 1200, format: &format, keep: path, inProcess: true}, scenario); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if whole := spaceOf(t, s); whole.State != outage.Up || whole.Reason != "" {
		t.Errorf("the space is %v since %v: %q", whole.State, whole.Since, whole.Reason)
	}
}

// TestDemoKeepsToItsOwn: a demo is not played into a store of anything else, and says nothing of what it was not let play.
func TestDemoKeepsToItsOwn(t *testing.T) {
	scenario, err := readScenario("steady")
	if err != nil {
		t.Fatal(err)
	}
	scenario.End = scenario.Start.Add(600_000)
	a := &app{stdout: io.Discard, stderr: io.Discard, talk: talk{io.Discard}}
	format := "json"
	play := func(ctx context.Context, speed int64, path string, want string) {
		t.Helper()
		_, err := a.playDemo(ctx, &demoOptions{speed: speed, format: &format, keep: path, inProcess: true}, scenario)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	kept, real := filepath.Join(t.TempDir(), "demo.db"), filepath.Join(t.TempDir(), "real.db")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	const fast = 10_000
	play(ended, 1, kept, "interrupted at") // by a clock that does not get to the end meanwhile
	play(t.Context(), fast, kept, "")
	play(t.Context(), fast, kept, "played to its end")
	if err := fillStore(real, fixture); err != nil {
		t.Fatal(err)
	}
	before := command(t, nil, "export", "--store", real)
	play(t.Context(), fast, real, "not this demo's")
	if after := command(t, nil, "export", "--store", real); !bytes.Equal(before, after) {
		t.Error("the store of an agent was changed")
	}
}

// spaceOf is how the space stands, by a store.
func spaceOf(t *testing.T, s *store.Store) outage.BlockStatus {
	t.Helper()
	learned, err := s.Learned(0)
	if err != nil {
		t.Fatal(err)
	}
	return learned.Detector.Blocks()[0]
}

// TestRoundsBeginWhenDue: a round that is no multiple of the time between two looks begins when it is due all the same.
func TestRoundsBeginWhenDue(t *testing.T) {
	s := simulated{name: "due", hours: 1}
	scenario := s.scenario(t, 1)
	scenario.Demo.Round = 1370 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		e, closeAll := simulatedEngine(t, scenario, filepath.Join(t.TempDir(), "engine.db"))
		defer closeAll()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		began := 0
		e.Began = func(late time.Duration) {
			if began++; began == 50 {
				cancel()
			}
			if late > 0 {
				t.Errorf("round %d began %v late", began, late)
			}
		}
		if err := e.run(ctx); err != nil {
			t.Fatal(err)
		}
	})
}

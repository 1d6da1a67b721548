package agent

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// TestEngineAfterManyRestarts restarts the engine a dozen times within minutes, as systemd does while a disk is full, and then
// lets it go on for two hours. That is no reason to say, from then on, that nobody has looked: between two commits of a round
// as long as ever the state is known.
func TestEngineAfterManyRestarts(t *testing.T) {
	s := simulated{name: "restarts", hours: 7, core: "0s"}
	scenario := s.scenario(t, 1)
	path := filepath.Join(t.TempDir(), "engine.db")
	synctest.Test(t, func(t *testing.T) {
		engineLife(t, scenario, path, scenario.Start.Add(3*3600_000), "")
		for range 14 {
			time.Sleep(10 * time.Second)
			engineLife(t, scenario, path, probe.InstantOf(time.Now()).Add(5_000), "")
		}
		time.Sleep(10 * time.Second)
		e, closeAll := simulatedEngine(t, scenario, path)
		defer closeAll()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		begun := time.Now()
		looks, unknown := 0, map[string]int{}
		e.Watch = func(v engineView) {
			learned, err := e.Store.Learned(0)
			if err != nil {
				t.Fatal(err)
			}
			if time.Since(begun) < 22*time.Minute {
				return
			}
			looks++
			if is := learned.Detector.BlocksAt(v.Now)[0]; is.State == outage.Unknown {
				unknown[is.Reason]++
			}
		}
		if err := e.run(ctx); err != nil {
			t.Fatal(err)
		}
		if len(unknown) > 0 {
			t.Errorf("of %d looks, two rounds after the last restart and later, so many say that the space is unknown, and why: %v", looks, unknown)
		}
	})
	for _, o := range sound(t, path) {
		t.Errorf("invented: %v %v", o.ID, o.Kind)
	}
}

package agent

import (
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"

	"brownout/store"
)

// TestEngineTellsOnceThoughACommitFailed makes one commit fail, of the disk say, that has something to tell, and the one by
// which the engine ends succeed. What is told is written with what is known to be told: the next engine neither tells it again
// nor forgets what was not due yet.
func TestEngineTellsOnceThoughACommitFailed(t *testing.T) {
	s := simulated{name: "refused", hours: 1, round: "1m", core: "0s", timeline: phase("01T00:30:20", "01T00:40:20", "total")}
	scenario := s.scenario(t, 1)
	dir := t.TempDir()
	path := filepath.Join(dir, "engine.db")
	synctest.Test(t, func(t *testing.T) {
		openNotices(t, path)
		full, err := store.Open(filepath.Join(dir, "full.db"), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		full.Close()
		e, closeAll := simulatedEngine(t, scenario, path)
		e.Watch = func(v engineView) {
			if len(v.Findings.Outages) == 0 {
				return
			}
			whole := e.Store
			e.Store = full
			for _, u := range e.under {
				if cancel := u.cancel; !u.final {
					u.cancel = func() {
						e.Store = whole // there is room again as the engine ends
						cancel()
					}
				}
			}
		}
		if err := e.run(t.Context()); err == nil {
			t.Error("the engine did not fail")
		}
		closeAll()
		engineLife(t, scenario, path, scenario.End, "")
	})
	want := []string{"space opened total", "space became-partial partial", "space ended up"}
	if got := toldIn(t, path); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

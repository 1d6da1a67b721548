package agent

import (
	"context"
	"net/netip"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// TestEngineProbesNobodyWhoWasTakenOut goes on with a space that lost a block, while nobody vouches for our own connectivity:
// nothing is judged then, and so what was learned still knows the block. Nobody in it is asked any more, in core passes and
// confirmations neither, and the export stays one that can be read.
func TestEngineProbesNobodyWhoWasTakenOut(t *testing.T) {
	s := simulated{name: "taken out", hours: 5, core: "10s", timeline: phase("01T03:03:20", "01T03:43:20", "uplink-down")}
	scenario := s.scenario(t, 1)
	path := filepath.Join(t.TempDir(), "engine.db")
	less, err := probe.SpaceOf(netip.MustParsePrefix("198.18.0.0/27"))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		engineLife(t, scenario, path, scenario.Start.Add((3*60+4)*60_000), "")
		e, closeAll := simulatedEngine(t, scenario, path, func(c *Config) { c.Targets = less })
		defer closeAll()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		defer cancel()
		if err := e.run(ctx); err != nil {
			t.Fatal(err)
		}
		for r, err := range e.Store.Rounds(0, outage.EndOfTime, false) {
			if err != nil {
				t.Fatal(err)
			}
			for i := range r.Passes {
				asked := r.Passes[i].Targets
				for k := range asked.Len() {
					if _, ok := r.Space.Index(asked.Addr(k)); !ok {
						t.Errorf("the %v of %v asked %v by %v, who is not of its space", r.Kind, r.Start, asked.Addr(k), r.Passes[i].Protocol)
					}
				}
			}
		}
	})
	sound(t, path)
}

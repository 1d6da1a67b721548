package outage_test

import (
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// A block that is total makes the space at least partial, since the same moment, also where rounds do not tell when the silent were
// asked, and where the block is back before it is known that the rest lived while it was dark.
func TestDarkBlocksInUntoldRounds(t *testing.T) {
	told := map[string]func(*probe.Round) *probe.Round{"answers' times": unseeded, "no times": bare}
	for _, span := range []time.Duration{70 * time.Second, 5 * time.Minute, 11 * time.Minute} {
		for name, as := range told {
			totals := 0
			for seed := range uint64(cases(3, 40)) {
				w := few(t, seed, 30, 0.99)
				w.beside(1, 28, 0.99)
				from := simStart.Add(day/2 + int64(seed)*77_000)
				to := from.Add(w.every.Milliseconds() * 3 / 2)
				w.down = between(from, to, "198.18.1.0/24")
				byID := map[string]*outage.Outage{}
				for _, o := range w.replayed(100, span, as).Outages(true) {
					byID[o.ID] = &o
				}
				for _, o := range byID {
					if s := o.Start; s.Earliest > s.At || s.At > s.Latest || s.Earliest > from || s.Latest < from {
						t.Errorf("%v, %s, seed %d: %s starts %v, truth %v", span, name, seed, o.Block, s, from)
					}
					if o.Block == outage.SpaceBlock || o.Kind != outage.Total {
						continue
					}
					if totals++; o.PartOf == nil || byID[*o.PartOf] == nil {
						t.Errorf("%v, %s, seed %d: %s is total, and the space is up", span, name, seed, o.Block)
					}
				}
			}
			t.Logf("%v, %s: %d totals", span, name, totals)
		}
	}
}

package outage_test

import (
	"hash/fnv"
	"net/netip"
	"testing"

	"brownout/probe"
)

// A pool whose customers all get another address at two every night, among those that others had before, is up: as many answer as
// ever, and no outage is told that is over as it begins.
func TestNightlyRenumberingInAPool(t *testing.T) {
	for seed := range uint64(cases(1, 10)) {
		w := newWorld(t, seed, probe.ICMP).people(480, 20, 1, 0.97)
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			h := fnv.New32a()
			h.Write(append(a.AsSlice(), byte((at-hours(2))/(24*3600_000)), byte(seed)))
			return h.Sum32()>>8%4 != 0
		}
		h, _ := w.run(10 * 24 * 60 / 11)
		partial := probe.Instant(0)
		for _, o := range h.Outages(false) {
			if o.End != nil && o.End.At == o.Start.At {
				t.Errorf("seed %d: %s is over as it begins", seed, o.ID)
			}
			if o.End != nil {
				partial += o.End.At - o.Start.At
			}
		}
		if most := probe.Instant(12 * hour); partial > most {
			t.Errorf("seed %d: partial for %d h, though as many answer as ever", seed, int64(partial)/hour)
		}
	}
}

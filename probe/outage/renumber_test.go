package outage_test

import (
	"hash/fnv"
	"net/netip"
	"testing"

	"brownout/probe"
	"brownout/probe/outage"
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

// A /24 whose hosts all get addresses in another is no outage of days, though rounds that tell no times say that it is dark before they say
// that the rest lives.
func TestABlockThatMovesInBareRounds(t *testing.T) {
	for seed := range uint64(cases(6, 40)) {
		w := few(t, seed, 28, 0.98)
		w.beside(2, 28, 0.98)
		w.beside(3, 24, 0.98)
		moved := simStart.Add(3*day + int64(seed)*77_000)
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			return a.As4()[2] == 0 && at >= moved || a.As4()[2] == 2 && at < moved.Add(12*minute)
		}
		for _, o := range w.replayed(600, w.every, bare).Outages(true) {
			if o.End == nil || int64(o.End.At-moved) > hour || len(o.Revisions) == 0 || o.Revisions[0].Finding != outage.Moved {
				t.Errorf("seed %d: %s is %v until %v, %v", seed, o.ID, o.Kind, o.End, o.Revisions)
			}
		}
	}
}

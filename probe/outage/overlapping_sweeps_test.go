package outage_test

import (
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// The loss of a quick sweep that does not tell its order is one piece of news also where it is told by a line a protocol, and one of them
// ends a moment after the other.
func TestQuickSweepsOfOverlappingLines(t *testing.T) {
	for seed := range uint64(cases(3, 20)) {
		w := newWorld(t, seed, probe.ICMP, probe.TCP(80))
		for i := range 30 {
			w.hosts = append(w.hosts, simHost{addr: w.space.Addr(3 + 5*i), rtt: 100_000, by: map[probe.Protocol]float64{probe.ICMP: 0.95, probe.TCP(80): 0.95}})
		}
		every := int64(5 * 60_000)
		w.loss = func(at probe.Instant, _ netip.Addr) float64 {
			if k := int64(at-simStart) / every; k > 300 && k%40 < 2 {
				return 0.5
			}
			return 0.01
		}
		var lines []*probe.Round
		for i := range int64(1500) {
			for k := range w.aims {
				span := 12*time.Second + time.Duration(k)*400*time.Millisecond
				lines = append(lines, bare(w.round(probe.Full, simStart.Add(i*every), span, w.aims[k:k+1])))
			}
		}
		h, err := outage.Replay(outage.Config{}, &source{lines})
		if err != nil {
			t.Fatal(err)
		}
		if list := h.Outages(false); len(list) > 1 {
			t.Errorf("seed %d: %d outages, want none of sweeps of slight loss", seed, len(list))
		}
	}
}

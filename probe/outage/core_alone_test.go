package outage_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Where, after days of full rounds, the best hosts alone are asked, their silence of hours is an outage: at least partial, for nobody knows of
// the others.
func TestCoreAlone(t *testing.T) {
	for name, told := range map[string]func(*probe.Round) *probe.Round{"who and when": unseeded, "who": bare} {
		found, seeds := 0, cases(12, 60)
		for seed := range uint64(seeds) {
			w := few(t, seed, 24, 0.99)
			rng := rand.New(rand.NewPCG(seed, 3))
			var best []netip.Addr
			for _, h := range w.hosts {
				best = append(best, h.addr)
			}
			for i := range 16 {
				w.hosts = append(w.hosts, simHost{addr: w.space.Addr(128 + 7*i), by: map[probe.Protocol]float64{probe.ICMP: 0.3 + 0.6*rng.Float64()}})
			}
			core, err := probe.SpaceOfAddrs(best...)
			if err != nil {
				t.Fatal(err)
			}
			from := simStart.Add(3*day + 8*hour + int64(seed)*77_000)
			to := from.Add(3 * hour)
			w.down = between(from, to)
			var lines []*probe.Round
			for i := range int64(4 * 24 * 12) {
				kind, aims := probe.Core, []probe.Aim{{Protocol: probe.ICMP, Targets: core}}
				if i%12 == 0 && i < 3*24*12 {
					kind, aims = probe.Full, w.aims
				}
				lines = append(lines, told(w.round(kind, simStart.Add(i*5*minute), time.Minute, aims)))
			}
			h, err := outage.Replay(outage.Config{}, &source{lines})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range h.Outages(false) {
				if o.End == nil || !inside(o.Start, from) || !inside(*o.End, to) {
					t.Logf("%s, seed %d: %v from %v to %v, want from %v to %v", name, seed, o.Kind, o.Start, o.End, from, to)
					continue
				}
				found++
			}
		}
		nineInTen(t, found, seeds)
	}
}

package outage_test

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
)

// Loss that grows to 15 % every evening and goes again is no outage, though many hosts answer now and then: at most one evening in
// fifty looks like one.
func TestEveningLoss(t *testing.T) {
	for name, c := range map[string]struct {
		every, span time.Duration
		told        func(*probe.Round) *probe.Round
	}{
		"spread, who":          {11 * time.Minute, 11 * time.Minute, bare},
		"spread, who and when": {11 * time.Minute, 11 * time.Minute, unseeded},
		"swept hourly":         {time.Hour, 30 * time.Second, bare},
	} {
		t.Run(name, func(t *testing.T) {
			const days = 8
			count, seeds := 0, cases(12, 60)
			for seed := range uint64(seeds) {
				w := few(t, seed, 24, 0.96)
				w.every = c.every
				rng := rand.New(rand.NewPCG(seed, 3))
				for i := range 16 {
					w.hosts = append(w.hosts, simHost{addr: w.space.Addr(128 + 7*i), by: map[probe.Protocol]float64{probe.ICMP: 0.25 + 0.55*rng.Float64()}})
				}
				w.loss = func(at probe.Instant, _ netip.Addr) float64 {
					x := math.Cos(float64(at-simStart-20*hour) / day * 2 * math.Pi)
					return 0.15 * max(0, x*x*x)
				}
				for _, o := range w.replayed(int(days*day/c.every.Milliseconds()), c.span, c.told).Outages(false) {
					t.Logf("seed %d: %v from %v, rate %v", seed, o.Kind, o.Start.At, o.ResponseRate)
					count++
				}
			}
			if 50*count > days*seeds {
				t.Errorf("%d false outages in %d evenings", count, days*seeds)
			}
		})
	}
}

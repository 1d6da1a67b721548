package outage_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Three neighbours who go to bed with many others, and are the last to get up, are not a prefix that is dark since the evening; when they are
// cut off at noon, it is.
func TestNeighboursWhoSleepLongest(t *testing.T) {
	const slept, cut = 6, 8 // days
	neighbours := netip.MustParsePrefix("198.18.0.160/28")
	told, found, seeds := 0, 0, cases(24, 200)
	for seed := range uint64(seeds) {
		w := newWorld(t, seed, probe.ICMP).people(8, 5, 17, 0.97).people(8, 10, 17, 0.97).people(3, 161, 4, 0.97).people(40, 256, 6, 0.97)
		w.every = []time.Duration{11 * time.Minute, 30 * time.Minute, time.Hour}[seed%3]
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			n := a.As4()
			if n[2] == 1 && n[3]%3 == 0 || n[2] == 0 && n[3]%17 == 5 {
				return false // a server
			}
			evening := (int64(at) - 12*hour) / day
			mood := rand.New(rand.NewPCG(seed, uint64(evening)<<16|uint64(n[2])<<8|uint64(n[3])))
			off, on := 21.5+2*mood.Float64(), 30+2*mood.Float64() // hours
			if mood.Float64() < 0.04 {
				on += 14
			}
			since := evening - int64(simStart)/day
			if neighbours.Contains(a) && since == slept {
				off, on = 22.3+0.2*mood.Float64(), 33.5
			}
			now := float64(int64(at)-evening*day) / hour
			return now >= off && now < on || neighbours.Contains(a) && at >= hours(24*cut+12) && at < hours(24*cut+18)
		}
		for _, o := range w.replayed(int(10*24*time.Hour/w.every), min(w.every, 10*time.Minute), whole).Outages(false) {
			switch {
			case o.Kind != outage.Partial || o.End == nil && o.Start.At < hours(24*9):
				t.Errorf("seed %d: %v from %v to %v", seed, o.Kind, o.Start, o.End)
			case o.Start.At < hours(24*(slept+1)+12) && len(o.Dark) > 0:
				told++
				t.Logf("seed %d: dark %v from %v to %v", seed, o.Dark, o.Start, o.End)
			case inside(o.Start, hours(24*cut+12)):
				found++
			}
		}
	}
	t.Logf("%d told, and %d of %d found", told, found, seeds)
	if told > seeds/10 || 3*found < 2*seeds {
		t.Error("want hardly any told, and most found")
	}
}

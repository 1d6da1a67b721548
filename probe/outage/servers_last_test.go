package outage_test

import (
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Where hosts go one after the other, and the last few by both of their protocols at once, what follows is total: that those who had
// gone before were silent by one of these, in the minutes after its last life and before that of the other, does not show that it was
// filtered.
func TestTotalAfterTheLastFew(t *testing.T) {
	found, seeds := 0, cases(24, 120)
	for seed := range uint64(seeds) {
		w := newWorld(t, seed, probe.ICMP, probe.TCP(80)).people(15, 5, 11, 0.975)
		w.every = 4 * time.Minute
		for i := range 15 {
			if i%2 == 0 {
				w.hosts[i].by[probe.TCP(80)] = 0.975
			}
		}
		for i := range 3 {
			w.hosts = append(w.hosts, simHost{addr: w.space.Addr(520 + 9*i), by: map[probe.Protocol]float64{probe.ICMP: 0.96, probe.TCP(80): 0.96}, rtt: 300_000})
		}
		from := simStart.Add(2*day + int64(seed)*77_000)
		dark, to := from.Add(hour), from.Add(4*hour)
		leaves := map[netip.Addr]probe.Instant{}
		for i, h := range w.hosts {
			leaves[h.addr] = dark
			if i < 15 {
				leaves[h.addr] = from.Add(w.rng.Int64N(40 * minute))
			}
		}
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool { return at >= leaves[a] && at < to }
		for _, o := range w.replayed(2*15*24+8*15, w.every, whole).Outages(false) {
			for _, p := range o.Phases {
				if p.Kind == outage.Total && p.End != nil && p.Start.At < to && p.End.At > dark {
					found++
					if !inside(p.Start, dark) || !inside(*p.End, to) {
						t.Logf("seed %d: from %v to %v, want %v to %v", seed, p.Start, p.End, dark, to)
					}
				}
			}
		}
	}
	t.Logf("%d of %d found", found, seeds)
	if found < seeds {
		t.Error("want them all")
	}
}

package outage_test

import (
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// The end of a total phase is held where servers are back by one protocol, and by the other only later, as all others are: that a host was
// silent by that just before it answered by this does not say that it was dark until then.
func TestEndByOneProtocol(t *testing.T) {
	held, seeds := 0, cases(30, 150)
	for seed := range uint64(seeds) {
		w := newWorld(t, seed, probe.ICMP, probe.TCP(80))
		for i := range 5 {
			w.hosts = append(w.hosts, simHost{addr: w.space.Addr(3 + 11*i), by: map[probe.Protocol]float64{probe.ICMP: 0.98, probe.TCP(80): 0.98}, rtt: 200_000})
		}
		w.people(30, 520, 5, 0.97)
		w.every = 4 * time.Minute
		from := simStart.Add(day + int64(seed)*77_000)
		to := from.Add(3 * hour)
		w.down = func(at probe.Instant, a netip.Addr, p probe.Protocol) bool {
			wave := int64(a.As4()[3]) % 4 * 50 * minute
			return at >= from && (at < to || at < to.Add(40*minute+wave) && p == probe.ICMP)
		}
		for _, o := range w.replayed(450, w.every, whole).Outages(false) {
			for _, p := range o.Phases {
				if p.Kind == outage.Total && p.End != nil && inside(p.Start, from) && inside(*p.End, to) {
					held++
				} else if p.Kind == outage.Total {
					t.Logf("seed %d: total from %v to %v, want %v to %v", seed, p.Start, p.End, from, to)
				}
			}
		}
	}
	nineInTen(t, held, seeds)
}

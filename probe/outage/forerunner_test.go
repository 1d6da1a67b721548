package outage_test

import (
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// A prefix that went dark is back when its hosts are, and not when the one answered that had lived all along and missed a probe.
func TestDarkPrefixOutlastsItsSurvivor(t *testing.T) {
	held, seeds := 0, cases(30, 200)
	for seed := range uint64(seeds) {
		w := few(t, seed, 30, 0.99)
		w.beside(1, 30, 0.99)
		w.every = time.Hour
		from := simStart.Add(4*day + int64(seed)*77_000)
		to := from.Add(3 * hour)
		w.hosts[3].by[probe.ICMP], w.hosts[9].by[probe.ICMP] = 0.9, 0.9
		alive := map[netip.Addr]probe.Instant{w.hosts[3].addr: from, w.hosts[9].addr: from, w.hosts[30+int(seed)%30].addr: from.Add(hour)}
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			since, lives := alive[a]
			return at >= from && at < to && !(lives && at >= since)
		}
		for _, o := range w.replayed(5*24, time.Minute, unseeded).Outages(false) {
			if o.Kind == outage.Partial && o.End != nil && inside(o.Start, from) && inside(*o.End, to) {
				held++
			} else {
				t.Logf("seed %d: %v from %v to %v, want %v to %v", seed, o.Kind, o.Start, o.End, from, to)
			}
		}
	}
	nineInTen(t, held, seeds)
}

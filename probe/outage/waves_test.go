package outage_test

import (
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Of a total outage from which a third comes back at once and the others in waves, the end is when most are back, and not when the
// first were.
func TestReturnInWaves(t *testing.T) {
	held, seeds := 0, cases(30, 200)
	for seed := range uint64(seeds) {
		w := few(t, seed, 30, 0.97)
		w.beside(1, 20, 0.9)
		from := simStart.Add(3*day + int64(seed)*77_000)
		to := from.Add(6 * hour)
		back := map[netip.Addr]probe.Instant{}
		for i, h := range w.hosts {
			back[h.addr] = to
			if i%3 > 0 {
				back[h.addr] = to.Add(int64(1+i%4) * 50 * minute)
			}
		}
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool { return at >= from && at < back[a] }
		for _, o := range w.replayed(500, 20*time.Second, unseeded).Outages(false) {
			if o.Kind == outage.Total && inside(o.Start, from) && o.End != nil && o.End.Latest >= to.Add(50*minute) && o.End.Earliest <= to.Add(200*minute) {
				held++
			} else {
				t.Logf("seed %d: %v from %v to %v, want %v to %v", seed, o.Kind, o.Start, o.End, from, to)
			}
		}
	}
	nineInTen(t, held, seeds)
}

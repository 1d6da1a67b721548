package outage_test

import (
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Where a quarter of the hosts never come back from a total outage, it is partial until that is taken for how things are, and not over
// with the first round in which, by chance, more of the others answer than usual.
func TestQuarterThatNeverComesBack(t *testing.T) {
	held, seeds := 0, cases(12, 80)
	for seed := range uint64(seeds) {
		w := few(t, seed, 40, 0.99)
		w.beside(1, 25, 0.85)
		w.every = []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour}[seed%3]
		from := simStart.Add(4*day + int64(seed)*77_000)
		to := from.Add(20 * hour)
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			return at >= from && at < to || at >= to && a.As4()[3]%4 == 3
		}
		for _, o := range w.replayed(int(14*24*time.Hour/w.every), 5*time.Minute, unseeded).Outages(false) {
			if o.Kind == outage.Total && inside(o.Start, from) && o.End != nil && o.End.At >= to.Add(7*day) {
				held++
			} else {
				t.Logf("seed %d: %v from %v to %v, want %v to %v", seed, o.Kind, o.Start, o.End, from, to.Add(7*day))
			}
		}
	}
	nineInTen(t, held, seeds)
}

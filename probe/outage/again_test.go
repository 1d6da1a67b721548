package outage_test

import (
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Where power fails twice in a day, the second partial is found as well as the first, however soon after that it begins: what answered
// in the first is not the level from which there is a fall.
func TestOutageSoonAfterAnother(t *testing.T) {
	found, seeds := 0, cases(8, 24)
	for seed := range uint64(seeds) {
		w := few(t, seed, 120, 0.9)
		w.every = 2 * time.Hour
		first := simStart.Add(5*day + 7*hour)
		second := first.Add(6 * hour)
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			return a.As4()[3]%3 != 0 && (at >= first && at < first.Add(4*hour) || at >= second && at < second.Add(5*hour))
		}
		for _, o := range w.replayed(12*7, 8*time.Minute, bare).Outages(false) {
			if o.Kind == outage.Partial && inside(o.Start, second) {
				found++
			}
		}
	}
	nineInTen(t, found, seeds)
}

package outage_test

import (
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Where each round begins a little before the one before it ends, who was silent in it is not taken to have been asked at twice the pace: what
// is missing for hours is no rate limit.
func TestRoundsThatOverlap(t *testing.T) {
	for name, told := range map[string]func(*probe.Round) *probe.Round{"who and when": unseeded, "who": bare} {
		found, seeds := 0, cases(12, 60)
		for seed := range uint64(seeds) {
			w := few(t, seed, 40, 0.9)
			from := simStart.Add(3*day + int64(seed)*77_000)
			to := from.Add(8 * hour)
			w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
				return at >= from && at < to && (a.As4()[3]/5)%5 < 3
			}
			for _, o := range w.replayed(460, w.every+time.Duration(1+seed%2*2000)*time.Millisecond, told).Outages(false) {
				if o.Kind == outage.Partial && inside(o.Start, from) && o.End != nil && inside(*o.End, to) {
					found++
				} else {
					t.Logf("%s, seed %d: %v from %v to %v, want from %v to %v", name, seed, o.Kind, o.Start, o.End, from, to)
				}
			}
		}
		nineInTen(t, found, seeds)
	}
}

package outage_test

import (
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// A partial outage of the space lasts for all of its three days where no block of it has one of its own, for each is too small or misses too
// few: that a block is up does not make silence of those who are gone the usual thing.
func TestLongPartialsOfSparseBlocks(t *testing.T) {
	for name, c := range map[string]struct{ hosts, gone int }{ // of a block
		"two of four":  {4, 2},
		"two of eight": {8, 2},
		"two of seven": {7, 2},
	} {
		t.Run(name, func(t *testing.T) {
			held, seeds := 0, cases(6, 40)
			for seed := range uint64(seeds) {
				w := newWorld(t, seed, probe.ICMP)
				away := map[netip.Addr]bool{}
				for i := range 4 * c.hosts {
					a := w.space.Addr(256*(i%4) + 3 + 20*(i/4))
					w.hosts = append(w.hosts, simHost{addr: a, rtt: 100_000, by: map[probe.Protocol]float64{probe.ICMP: 0.97}})
					away[a] = i/4 < c.gone
				}
				w.every = 11 * time.Minute
				from := simStart.Add(3*day + int64(seed)*97_000)
				to := from.Add(3 * day)
				gone := between(from, to)
				w.down = func(at probe.Instant, a netip.Addr, p probe.Protocol) bool { return away[a] && gone(at, a, p) }
				for _, o := range w.rounds(8).Outages(false) {
					if o.Kind == outage.Partial && inside(o.Start, from) && o.End != nil && inside(*o.End, to) {
						held++
					}
				}
			}
			nineInTen(t, held, seeds)
		})
	}
}

// Nor does it make loss the usual thing: half of what is sent to blocks of four is lost for five days.
func TestLongLossOfSparseBlocks(t *testing.T) {
	up, seeds := int64(0), int64(cases(8, 40))
	for seed := range uint64(seeds) {
		w := newWorld(t, seed, probe.ICMP)
		for i := range 16 {
			w.hosts = append(w.hosts, simHost{addr: w.space.Addr(256*(i%4) + 3 + 20*(i/4)), rtt: 100_000, by: map[probe.Protocol]float64{probe.ICMP: 0.97}})
		}
		from := simStart.Add(3 * day)
		to := from.Add(5 * day)
		w.loss = func(at probe.Instant, _ netip.Addr) float64 {
			if at >= from && at < to {
				return 0.5
			}
			return 0
		}
		h := w.rounds(10)
		for _, s := range outage.Timeline(h.Changes, h.Until) {
			if s.Block == outage.SpaceBlock && s.State == outage.Up {
				up += max(int64(min(s.End, to)-max(s.Start, from)), 0)
			}
		}
	}
	hours := float64(up) / float64(hour) / float64(seeds)
	t.Logf("up for %.1f hours of %d", hours, 5*24)
	if hours > 6 {
		t.Error("want six at most")
	}
}

package outage_test

import (
	"net/netip"
	"testing"

	"brownout/probe"
	"brownout/probe/outage"
)

// Where one or a handful of many live on, that is no total outage, though they miss a probe by themselves now and then: neither in the
// minutes in which all others go, nor later, when it is one piece of news that those are away still: one in fifty may be taken for it,
// whose survivors miss more than one. Where all went for less than a round, that was total.
func TestHandfulOfSurvivors(t *testing.T) {
	totals, found, seeds := 0, 0, cases(12, 150)
	for seed := range uint64(seeds) {
		for _, survivors := range []int{0, 1, 5} {
			w := few(t, seed, 51, 0.97)
			w.beside(1, 25, 0.97)
			live := map[netip.Addr]bool{}
			for i := range survivors {
				h := &w.hosts[(int(seed)+16*i)%len(w.hosts)]
				h.by[probe.ICMP] = 0.9
				live[h.addr] = true
			}
			from := simStart.Add(2*day + int64(seed)*77_000)
			to := from.Add(9*minute + int64(min(survivors, 1))*3*hour)
			w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool { return at >= from && at < to && !live[a] }
			for _, o := range w.replayed(300, w.every, whole).Outages(false) {
				switch {
				case survivors > 0 && o.Kind == outage.Total:
					totals++
					t.Logf("seed %d: total from %v to %v, and %d lived", seed, o.Start, o.End, survivors)
				case survivors == 0 && o.Kind == outage.Total && o.End != nil && inside(o.Start, from) && inside(*o.End, to):
					found++
				}
			}
		}
	}
	nineInTen(t, found, seeds)
	if totals > 2*seeds/50 {
		t.Errorf("%d totals of %d that were none", totals, 2*seeds)
	}
}

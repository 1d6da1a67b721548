package outage_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// A round that is told in many lines is one round: a partial outage falls as abruptly in it as in a round of one.
func TestPartialInRoundsOfManyLines(t *testing.T) {
	for _, n := range []int{1, 17, 24} {
		for seed := range uint64(cases(2, 10)) {
			w := few(t, seed, 40, 0.97)
			every := w.every.Milliseconds()
			from := simStart.Add(60*every + int64(seed)*77_000)
			dark := between(from, from.Add(9*every))
			w.down = func(at probe.Instant, a netip.Addr, p probe.Protocol) bool {
				return dark(at, a, p) && slices.IndexFunc(w.hosts, func(h simHost) bool { return h.addr == a })%5 < 3
			}
			var lines []*probe.Round
			for i := range int64(100) {
				for k := range n {
					r := w.round(probe.Full, simStart.Add(i*every), 11*time.Minute, w.aims)
					r.Vantage = fmt.Sprintf("v%d", k)
					lines = append(lines, unseeded(r))
				}
			}
			h, err := outage.Replay(outage.Config{}, &source{lines})
			if err != nil {
				t.Fatal(err)
			}
			if list := h.Outages(false); len(list) != 1 || list[0].Kind != outage.Partial || !inside(list[0].Start, from) {
				t.Errorf("%d lines a round, seed %d: the outages %v, want one partial from %v", n, seed, list, from)
			}
		}
	}
}

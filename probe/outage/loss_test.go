package outage_test

import (
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Loss that every probe suffers is told within two rounds, though in every line some are silent anew: nobody waits for them to prove gone.
func TestLossIsToldSoon(t *testing.T) {
	soon, seeds := 0, cases(12, 60)
	for seed := range uint64(seeds) {
		w := few(t, seed, 16, 0.98)
		from := simStart.Add(day + int64(seed)*77_000)
		w.loss = lossy(from, from.Add(2*hour), 0.6)
		var lines []*probe.Round
		for i := range int64(150) {
			for k, vantage := range []string{"w", "c", "j"} {
				r := inOrder(w.round(probe.Full, simStart.Add(i*w.every.Milliseconds()+int64(k)*130_000), 10*time.Minute, w.aims))
				r.Vantage = vantage
				lines = append(lines, r)
			}
		}
		h, err := outage.Replay(outage.Config{}, &source{lines})
		if err != nil {
			t.Fatal(err)
		}
		if list := h.Outages(false); len(list) == 1 && list[0].DeclaredAt < from.Add(2*w.every.Milliseconds()) {
			soon++
		}
	}
	nineInTen(t, soon, seeds)
}

// lossy loses a share of all probes for some time.
func lossy(from, to probe.Instant, share float64) func(probe.Instant, netip.Addr) float64 {
	return func(at probe.Instant, _ netip.Addr) float64 {
		if at >= from && at < to {
			return share
		}
		return 0
	}
}

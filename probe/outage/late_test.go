package outage_test

import (
	"testing"

	"brownout/probe"
	"brownout/probe/outage"
)

// Late replies were no loss: where many are, as by satellite, a partial outage still ends when its hosts are back.
func TestLateRepliesAreNoLoss(t *testing.T) {
	for seed := range uint64(cases(6, 40)) {
		w := few(t, seed, 40, 0.98)
		from := simStart.Add(2*day + int64(seed)*77_000)
		to := from.Add(4 * hour)
		w.down = odd(from, to)
		w.amend = func(r *probe.Round) {
			for k := range r.Passes[0].Answers {
				if a := &r.Passes[0].Answers[k]; w.rng.Float64() < 0.3 {
					a.Outcome, a.RTT = probe.Late, probe.QuantiseRTT(3_500_000+uint32(w.rng.IntN(20_000_000)))
				}
			}
		}
		o := only(t, w.replayed(360, w.every, whole), outage.Partial)
		if o.End == nil {
			t.Fatalf("seed %d: it goes on", seed)
		}
		holds(t, "start", o.Start, from)
		holds(t, "end", *o.End, to)
	}
}

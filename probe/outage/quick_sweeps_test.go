package outage_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Bursts of loss on the way are no outage to quick sweeps either, of which somebody tells who answered and at most when: two sweeps in a
// row may be hit, and who was silent lies all over the space where it was asked in random order.
func TestBurstsInQuickSweeps(t *testing.T) {
	for name, as := range map[string]struct {
		told    func(*probe.Round) *probe.Round
		ordered bool
	}{
		"who and when, in order": {unseeded, true}, "who, in order": {bare, true},
		"who and when, at random": {unseeded, false}, "who, at random": {bare, false},
	} {
		t.Run(name, func(t *testing.T) {
			count := 0
			for seed := range uint64(cases(3, 24)) {
				w := newWorld(t, seed, probe.ICMP).people(40, 4, 24, 0.99)
				rng := rand.New(rand.NewPCG(seed, 2))
				var lines []*probe.Round
				for i := range int64(14 * 24 * 12) {
					lines = append(lines, as.told(w.sweep(rng, simStart.Add(i*5*minute), 12*time.Second, as.ordered)))
				}
				h, err := outage.Replay(outage.Config{}, &source{lines})
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range h.Outages(false) {
					t.Logf("seed %d: %s %v until %v, rate %v", seed, o.ID, o.Kind, o.End, o.ResponseRate)
					count++
				}
			}
			if count > cases(1, 6) {
				t.Errorf("%d false outages in %d fortnights", count, cases(3, 24))
			}
		})
	}
}

// sweep asks in the order of the addresses, or at random, over a way that takes four in five for 3 s on average, in 3 % of the time.
func (w *world) sweep(rng *rand.Rand, start probe.Instant, span time.Duration, ordered bool) *probe.Round {
	ms := span.Milliseconds()
	bad := make([]bool, ms)
	for at := int64(-60_000); at < ms; {
		at += int64(rng.ExpFloat64() * 97_000)
		until := at + int64(rng.ExpFloat64()*3_000)
		for ; at < until; at++ {
			if at >= 0 && at < ms {
				bad[at] = true
			}
		}
	}
	r := &probe.Round{
		Kind: probe.Full, Start: start, End: start.Add(ms), Span: span, Vantage: "sim", VantageOK: true, Space: w.space,
		Timeout: 3 * time.Second, Scale: 1, Passes: []probe.Pass{{Protocol: probe.ICMP, Targets: w.space}},
	}
	p := &r.Passes[0]
	for i := range w.hosts {
		h := &w.hosts[i]
		target, _ := w.space.Index(h.addr)
		offset := ms * int64(target) / int64(w.space.Len())
		if !ordered {
			offset = rng.Int64N(ms)
		}
		if rng.Float64() >= h.by[probe.ICMP] || bad[offset] && rng.Float64() < 0.8 {
			continue
		}
		p.Answers = append(p.Answers, probe.Answer{Target: int32(target), Outcome: probe.Reply, Offset: int32(offset), First: probe.UnknownOffset, RTT: h.rtt})
	}
	sortAnswers(p)
	return r
}

package outage_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

// TestRoundsThatOverrunTheirSpan: a round whose sending takes longer than planned, for the silent are asked again, ends later
// than anybody knows while it is under way. How fast it sent, which rate limits go by, must not depend on that: online
// equals replay, to the byte.
func TestRoundsThatOverrunTheirSpan(t *testing.T) {
	const overrun = 40_000 // milliseconds
	for seed := range uint64(cases(6, 120)) {
		seed += 112 // of them 115 differed
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			m := lab.Responders(int(20+seed), seed)
			m.Events = []lab.Event{{From: m.Start.Add(15 * 2 * minute), To: m.Start.Add(60 * 2 * minute), Effect: lab.Limits, Rate: 0.05 + float64(seed%20)/40}}
			sim := lab.NewSimulation(m, seed)
			online, h := outage.New(outage.Config{}), &outage.History{}
			var lines []*probe.Round
			put := func(r *probe.Round) {
				lines = append(lines, r)
				early := *r
				early.End = r.Start // as it is when it is put first
				if r.Kind == probe.Full {
					r.End = r.End.Add(overrun)
				}
				h.Add(online.Advance(r.Start))
				for _, is := range []*probe.Round{&early, r} {
					if err := online.Put(is); err != nil {
						t.Fatal(err)
					}
					h.Add(online.Advance(r.Start.Add(1)))
				}
				h.Until = max(h.Until, r.End)
			}
			for i := range 80 {
				start := m.Start.Add(int64(i) * 2 * minute)
				put(sim.Round(probe.Full, start, 2*time.Minute, sim.Aims()))
				for k := range int64(3) {
					at := start.Add(20_000 + 30_000*k)
					h.Add(online.Advance(at))
					if aims := online.Core(outage.Allowance{}); len(aims) > 0 {
						put(sim.Round(probe.Core, at, 5*time.Second, aims))
					}
				}
			}
			h.Add(online.Advance(outage.EndOfTime))
			replayed, err := outage.Replay(outage.Config{}, &source{lines})
			if err != nil {
				t.Fatal(err)
			}
			if a, b := encode(t, h), encode(t, replayed); !bytes.Equal(a, b) {
				t.Errorf("online gives\n%s\nand replay\n%s", a, b)
			}
		})
	}
}

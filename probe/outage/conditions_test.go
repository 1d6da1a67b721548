package outage_test

import (
	"slices"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

// A filter and a rate limit are told within three rounds, by their names; where there is none, nobody is told of one because of bursts of
// loss.
func TestConditionsAreToldWhenTheyAreCertain(t *testing.T) {
	told := []outage.Condition{outage.Filtering, outage.RateLimited}
	for seed := range uint64(cases(2, 20)) {
		for _, core := range []time.Duration{0, time.Minute} {
			m := lab.Reference(seed)
			m.Retries = 1
			from := m.Start.Add(5 * day)
			e := lab.Event{From: from, To: from.Add(hour), Effect: lab.Filters, Protocol: probe.TCP(80)}
			if seed%2 == 1 {
				e = lab.Event{From: from, To: from.Add(hour), Effect: lab.Limits, Rate: 0.1}
			}
			m.Events = []lab.Event{e}
			w := &lab.Watcher{Simulation: lab.NewSimulation(m, seed), Detector: outage.New(outage.Config{}), Cadence: lab.Cadence{Round: 11 * time.Minute, Core: core, Confirm: true}}
			for at := m.Start.Add(3 * day); at <= from; at = at.Add(2 * minute) {
				for _, r := range runTo(t, w, at).Reports {
					if slices.Contains(told, r.Condition) {
						t.Errorf("seed %d, core %v, at %v: %v of %v since %v, and there is none", seed, core, at, r.Condition, r.Protocols, r.Since)
					}
				}
			}
			said := false
			for at := from; at <= from.Add(3*11*minute); at = at.Add(2 * minute) {
				said = said || slices.Contains(runTo(t, w, at).Conditions, told[seed%2])
			}
			if !said {
				t.Errorf("seed %d, core %v: %v is not told", seed, core, told[seed%2])
			}
		}
	}
}

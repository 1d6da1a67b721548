package outage_test

import (
	"testing"
	"time"

	"brownout/probe/lab"
	"brownout/probe/outage"
)

// TestP10Sparse finds nightly blackouts of eight hours where no single round can prove silence: 80 hosts that answer 5 to
// 10 % of what they are asked, once an hour. Evidence accumulates over rounds, and the states are corrected backwards.
func TestP10Sparse(t *testing.T) {
	const nights, days = 60, 365
	years := cases(1, 20)
	var dark, found, false int64
	for seed := range uint64(years) {
		m := lab.Sparse(80, seed)
		first := m.Start.Add(10*day + 21*hour)
		m.Events = lab.Nightly(lab.Event{From: first, To: first.Add(8 * hour), Effect: lab.Darkens}, nights)
		h := watch(t, lab.NewSimulation(m, seed), lab.Cadence{Round: time.Hour}, days*day, nil)
		var inside, all int64
		for _, s := range outage.Timeline(h.Changes, h.Until) {
			if s.State == outage.Total && s.Block == outage.SpaceBlock {
				all += int64(s.End - s.Start)
				for _, e := range m.Events {
					inside += max(0, int64(min(s.End, e.To)-max(s.Start, e.From)))
				}
			}
		}
		dark += nights * 8 * hour
		found += inside
		false += all - inside
	}
	t.Logf("of %d nightly hours in the dark %.1f %% are found, %.1f false hours a year", dark/hour, float64(found)/float64(dark)*100, float64(false)/hour/float64(years))
	if 100*found < 97*dark {
		t.Error("want at least 97 % of the dark hours")
	}
	if false > int64(10*hour*years) {
		t.Error("want at most 10 false hours a year")
	}
}

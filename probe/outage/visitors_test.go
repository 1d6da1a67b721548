package outage_test

import (
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Something that answers in the place of all silent addresses for some hours, as a middlebox on the way may, is not missed when it ends, and
// hides no outage of a day later.
func TestVisitors(t *testing.T) {
	for name, c := range map[string]struct {
		every, span time.Duration
		told        func(*probe.Round) *probe.Round
	}{
		"spread": {11 * time.Minute, 11 * time.Minute, unseeded},
		"swept":  {time.Hour, 30 * time.Second, bare},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(cases(4, 24)) {
				w := newWorld(t, seed, probe.ICMP).people(40, 2, 25, 0.97)
				w.every = c.every
				end := simStart.Add(4*day + []int64{2, 6, 24}[seed%3]*hour)
				gone, back := end.Add(26*hour), end.Add(34*hour)
				w.down = between(gone, back, "198.18.0.0/23")
				w.amend = func(r *probe.Round) {
					if r.Start < simStart.Add(4*day) || r.Start >= end {
						return
					}
					p := &r.Passes[0]
					for target := range p.Silent() {
						if target%25 != 2 && target < 512 {
							p.Answers = append(p.Answers, probe.Answer{Target: target, Outcome: probe.Reply, First: probe.UnknownOffset, RTT: 200_000})
						}
					}
					sortAnswers(p)
				}
				o := only(t, w.replayed(int(8*day/c.every.Milliseconds()), c.span, c.told), outage.Partial)
				if o.End == nil || !inside(o.Start, gone) || !inside(*o.End, back) {
					t.Errorf("seed %d: from %v to %v, want from %v to %v", seed, o.Start, o.End, gone, back)
				}
			}
		})
	}
}

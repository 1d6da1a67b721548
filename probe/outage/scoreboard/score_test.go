package main

import (
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

// said is a verdict on the space whose interval is a minute to both sides.
func said(kind outage.State, from, to float64) verdict {
	around := func(h float64) outage.Interval {
		at := hourAfter(h)
		return outage.Interval{Earliest: at.Add(-60_000), At: at, Latest: at.Add(60_000)}
	}
	return verdict{block: outage.SpaceBlock, kind: kind, start: around(from), end: around(to), ended: true, declared: hourAfter(from + 0.1)}
}

// TestScore matches verdicts with three outages and a fault of our own by hand.
func TestScore(t *testing.T) {
	y := &year{cadence: lab.Cadence{Round: 11 * time.Minute}, cells: []cell{
		{label: "total", kind: outage.Total}, {label: "partial", kind: outage.Partial}, {label: "fault", kind: outage.Up},
	}}
	y.scored = probe.Range{From: hourAfter(0), To: hourAfter(1000)}
	y.truths = []truth{
		{0, outage.Total, hourAfter(100), hourAfter(102)}, {0, outage.Total, hourAfter(200), hourAfter(202)},
		{1, outage.Partial, hourAfter(300), hourAfter(303)}, {2, outage.Up, hourAfter(400), hourAfter(401)},
	}
	y.silences = []silence{{"198.18.2.0/24", hourAfter(600), hourAfter(601)}}
	block := said(outage.Total, 700, 701)
	block.block = "198.18.0.0/24"
	s := y.score(judgement{verdicts: []verdict{
		said(outage.Total, 100, 102),       // holds
		said(outage.Total, 150, 250),       // began long before the second: an alarm, and no find
		said(outage.Total, 300.01, 302),    // the wrong kind
		said(outage.Partial, 303.1, 303.2), // the same again: no alarm
		said(outage.Partial, 400, 401),     // fooled
		said(outage.Partial, 600, 600.5),   // a /24 was silent
		said(outage.Total, 600.1, 600.5),   // but the space was not: an alarm
		said(outage.Partial, 700, 701),     // an alarm
		block,                              // the same one
	}, probes: 365})
	if got := s.found; got[0] != (share{1, 2}) || got[1] != (share{1, 1}) || got[2] != (share{1, 1}) {
		t.Errorf("found %v", got)
	}
	if s.alarms != 3 || s.kind != (share{1, 2}) || s.total.holds != (share{1, 1}) || s.partial.holds != (share{0, 1}) {
		t.Errorf("%d alarms, kind %v, holds %v and %v", s.alarms, s.kind, s.total.holds, s.partial.holds)
	}
	if len(s.partial.onset) != 1 || s.partial.onset[0] != 36 || s.partial.end[0] != 3600 || s.total.delay[0] != 360 {
		t.Errorf("partials %+v, totals %+v", s.partial, s.total)
	}
	if got := s.exposed * 365 * 24; got < 1000-8-3 || got > 1000-8 {
		t.Errorf("exposed for %v h", got)
	}
}

func TestChoose(t *testing.T) {
	all := []cell{{kind: outage.Total}, {kind: outage.Up}}
	p := &peer{levels: []float64{1, 2, 3, 4}, inRow: []int{1}}
	made := func(alarms, found int) *score { return &score{alarms: alarms, found: []share{{found, 9}, {5, 5}}} }
	for _, c := range []struct {
		ours    int
		of      []*score
		level   float64
		reached bool
	}{
		{2, []*score{made(9, 9), made(2, 5), made(1, 5), made(0, 3)}, 3, true},
		{2, []*score{made(0, 1), made(2, 6), made(3, 8), made(9, 9)}, 2, true},
		{0, []*score{made(9, 9), made(7, 8), made(5, 5), made(5, 7)}, 4, false},
	} {
		if got := choose(p, c.of, c.ours, all); got.setting.level != c.level || got.reached != c.reached {
			t.Errorf("of ours %d: %+v", c.ours, got)
		}
	}
}

// TestSchedule holds what the peers are promised: a week of quiet before every outage.
func TestSchedule(t *testing.T) {
	for seed := range uint64(5) {
		m := lab.Reference(seed)
		all := cells(11 * time.Minute)
		truths := schedule(&m, all, seed)
		last := m.Start
		for i := range truths {
			c := &all[truths[i].cell]
			if c.everyDay == 0 && truths[i].from-last < week {
				t.Errorf("seed %d: %s begins %v h after the last", seed, c.label, (truths[i].from-last)/hour)
			}
			last = truths[i].to
		}
		if last > m.Start.Add(yearDays*day) || len(truths) != 38+nights {
			t.Errorf("seed %d: %d outages until %v", seed, len(truths), last)
		}
	}
}

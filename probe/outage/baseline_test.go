package outage_test

import (
	"slices"
	"testing"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

// watched is a watcher with its history, stopped now and then to be asked how things stand.
func watched(t *testing.T, m lab.Model, seed uint64) (*lab.Watcher, *outage.History) {
	h := &outage.History{}
	return &lab.Watcher{Simulation: lab.NewSimulation(m, seed), Detector: outage.New(outage.Config{}), Cadence: elevenMinutes, Found: h.Add}, h
}

func runTo(t *testing.T, w *lab.Watcher, at probe.Instant) outage.BlockStatus {
	t.Helper()
	if err := w.Run(at); err != nil {
		t.Fatal(err)
	}
	return w.Detector.Blocks()[0]
}

// TestP8Moved renumbers hosts: as many are lit as fall silent. That is no outage; where the new ones are lit hours later,
// the outage that was declared meanwhile is revised. Either way what is new is soon expected.
func TestP8Moved(t *testing.T) {
	for _, seed := range firstSeeds(4, 100, 42) {
		m := lab.Reference(seed)
		for i := range m.Hosts {
			m.Hosts[i].Night, m.Hosts[i].Stay = 0, 0
		}
		from := m.Start.Add(3*day + int64(seed)*hour)
		to := from.Add(int64(seed%2) * 6 * hour)
		m.Events = []lab.Event{{From: from, To: to, Effect: lab.Renumbers, Share: 0.5}}
		w, h := watched(t, m, seed)
		s := runTo(t, w, to.Add(2*hour))
		if !slices.Contains(s.Conditions, outage.Moved) {
			t.Errorf("seed %d: two hours later the conditions are %v: %+v", seed, s.Conditions, s)
		}
		list := h.Outages(false)
		if seed%2 == 0 && len(h.Outages(true)) > 0 {
			t.Errorf("seed %d: moving at once is an outage: %s", seed, encode(t, h))
		}
		if seed%2 == 1 && (len(list) != 1 || len(list[0].Revisions) == 0 || list[0].Revisions[0].Finding != outage.Moved) {
			t.Errorf("seed %d: moving within six hours is not found: %s", seed, encode(t, h))
		}
		var rates []outage.Decimal // of five rounds, for a confirmation in a burst of loss makes one low
		for n := range 5 {
			s = runTo(t, w, to.Add(5*hour+int64(n)*660_000))
			rates = append(rates, s.ResponseRate)
		}
		slices.Sort(rates)
		if s.State != outage.Up || rates[2] < 8500 || rates[2] > 11500 {
			t.Errorf("seed %d: five hours later the block is %v at %v of %v", seed, s.State, rates, s.Expected)
		}
	}
}

// TestP8Shifted takes half of the hosts away for good. The partial outage ends as a shift after seven days, and what is left
// is the baseline: its total outage is found.
func TestP8Shifted(t *testing.T) {
	for _, seed := range firstSeeds(2, 30, 20) {
		m := lab.Reference(seed)
		from := m.Start.Add(3 * day)
		dark := from.Add(9 * day)
		m.Events = []lab.Event{
			{From: from, To: lab.Forever, Effect: lab.Empties, Share: 0.5},
			{From: dark, To: dark.Add(hour), Effect: lab.Darkens},
		}
		w, h := watched(t, m, seed)
		since := func() []outage.Outage { // without what ended before: a block whose three hosts all sleep is dark
			return slices.DeleteFunc(h.Outages(false), func(o outage.Outage) bool { return o.End != nil && o.End.Latest < from })
		}
		runTo(t, w, from.Add(7*day-hour))
		if list := since(); len(list) != 1 || list[0].Kind != outage.Partial || list[0].End != nil {
			t.Errorf("seed %d: after a week less an hour: %s", seed, encode(t, h))
		}
		if s := runTo(t, w, from.Add(7*day+6*hour)); s.State != outage.Up || !slices.Contains(s.Conditions, outage.Shifted) {
			t.Errorf("seed %d: after a week and six hours: %+v", seed, s)
		}
		if list := since(); list[0].End == nil || len(list[0].Revisions) != 1 || list[0].Revisions[0].Finding != outage.Shifted {
			t.Errorf("seed %d: after a week and six hours: %s", seed, encode(t, h))
		}
		runTo(t, w, dark.Add(3*hour))
		var got measured
		got.compare(t, m.Events[1:], since()[1:])
		if got.found != 1 || got.extra > 0 {
			t.Errorf("seed %d: the total outage of what is left is not found: %s", seed, encode(t, h))
		}
	}
}

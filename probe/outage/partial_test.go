package outage_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

// spaced adds n events of one kind to a model, of random lengths and a day or so apart, the first so many
// milliseconds after its start, and returns how long it then lasts.
func spaced(m *lab.Model, seed uint64, first int64, n int, like lab.Event, least, most int64) int64 {
	rng := rand.New(rand.NewPCG(seed, 11))
	at := m.Start.Add(first)
	for range n {
		length := least + rng.Int64N(most-least)
		e := like
		e.From, e.To = at, at.Add(length)
		m.Events = append(m.Events, e)
		at = at.Add(length + 12*hour + rng.Int64N(24*hour))
	}
	return int64(at - m.Start)
}

// TestP5Reference makes all of a /24 of three responders dark, of a space of 34: under the thresholds of others, yet a
// whole /24. It is found within three rounds, and its hosts and protocols are named. Where one of the three is off anyway
// there are fewer than three responders: those cases are counted apart.
func TestP5Reference(t *testing.T) {
	three := netip.MustParsePrefix("198.18.2.0/24")
	var found, all [2]int
	for seed := range uint64(cases(2, 30)) {
		m := lab.Reference(seed)
		lasts := spaced(&m, seed, 10*day, 15, lab.Event{Effect: lab.Darkens, Prefixes: []netip.Prefix{three}}, 33*minute, 4*hour)
		awake := allAwake(m, seed, three)
		h := watch(t, lab.NewSimulation(m, seed), elevenMinutes, lasts, nil)
		for i := range m.Events {
			e := &m.Events[i]
			class := 0
			if !awake[e.From] {
				class = 1
			}
			all[class]++
			k := slices.IndexFunc(h.Outages(false), func(o outage.Outage) bool { return meets(&o, e) })
			if k < 0 || h.Outages(false)[k].DeclaredAt > e.From+33*minute {
				t.Logf("seed %d: %v to %v is not found in time, all awake: %v", seed, e.From, e.To, class == 0)
				continue
			}
			found[class]++
			o := h.Outages(false)[k]
			inThree := func(a netip.Addr) bool { return three.Contains(a) }
			if !slices.Contains(o.Dark, three) || !slices.ContainsFunc(o.Gone, inThree) || len(o.Protocols) == 0 {
				t.Errorf("seed %d: dark %v, gone %v, protocols %v", seed, o.Dark, o.Gone, o.Protocols)
			}
		}
	}
	t.Logf("%d of %d found within three rounds; of those with a host asleep %d of %d", found[0], all[0], found[1], all[1])
	if 100*found[0] < 99*all[0] {
		t.Error("want 99 of 100")
	}
}

// allAwake says of each event whether all hosts of a prefix answered just before it.
func allAwake(m lab.Model, seed uint64, p netip.Prefix) map[probe.Instant]bool {
	events := m.Events
	m.Events = nil
	s := lab.NewSimulation(m, seed)
	awake := map[probe.Instant]bool{}
	for _, e := range events {
		s.Round(probe.Full, e.From.Add(-11*minute), 11*time.Minute, s.Aims()) // brings hosts to where they live by then
		awake[e.From] = s.Responding(p, e.From.Add(-1)) >= 3
	}
	return awake
}

// TestP8Nightly finds the 72nd nightly blackout in a row like the first: outages are not learned from, nor is a season.
func TestP8Nightly(t *testing.T) {
	var got measured
	for seed := range uint64(cases(1, 20)) {
		m := lab.Reference(seed)
		first := m.Start.Add(3*day + 17*hour)
		m.Events = lab.Nightly(lab.Event{From: first, To: first.Add(8 * hour), Effect: lab.Darkens}, 72)
		h := watch(t, lab.NewSimulation(m, seed), elevenMinutes, 80*day, nil)
		got.compare(t, m.Events, h.Outages(false))
	}
	t.Logf("%d of %d nights found, %d held", got.found, got.true, got.held)
	if got.found != got.true || 100*got.held < 97*got.true {
		t.Error("want all of them")
	}
}

// TestPowerUnderFilter makes a protocol dark by which most hosts are known: what can still be seen is less, and is said so.
func TestPowerUnderFilter(t *testing.T) {
	m := lab.Reference(1)
	from := m.Start.Add(3 * day)
	m.Events = []lab.Event{{From: from, To: from.Add(day), Effect: lab.Filters, Protocol: m.Protocols[1]}}
	w, _ := watched(t, m, 1)
	before := runTo(t, w, from).Power
	s := runTo(t, w, from.Add(3*hour))
	if !slices.Contains(s.Conditions, outage.Filtering) {
		t.Fatalf("not filtered: %+v", s)
	}
	if s.Power.SmallestDrop <= before.SmallestDrop {
		t.Errorf("a drop of %v was visible, and under the filter one of %v", before.SmallestDrop, s.Power.SmallestDrop)
	}
}

// TestP6Conditions filters one protocol, or limits the rate of replies, in a hundred cases: none is an outage. What is
// dark because its hosts are off is none of theirs.
func TestP6Conditions(t *testing.T) {
	for seed := range uint64(cases(4, 100)) {
		m := lab.Reference(seed)
		like := lab.Event{Effect: lab.Filters, Protocol: m.Protocols[seed%3]}
		if seed%2 == 1 {
			like = lab.Event{Effect: lab.Limits, Rate: 0.1 + float64(seed%7)/10}
		}
		lasts := spaced(&m, seed, 2*day, 4, like, 33*minute, 30*hour)
		s := lab.NewSimulation(m, seed)
		watch(t, s, elevenMinutes, lasts, func(f outage.Findings) {
			for _, o := range f.Outages {
				if o.Status == outage.Ended && (len(o.Dark) == 0 || s.SilentFor(o.Start.Earliest, o.End.Latest, o.Dark) < 90_000) {
					t.Errorf("seed %d, %+v: %s %v until %v dark %v rate %v %v", seed, like, o.ID, o.Kind, o.End.At, o.Dark, o.ResponseRate, o.Conditions)
				}
			}
		})
	}
}

// TestFirstWordHasItsFigures makes a /24 dark, and then the space: the first that is published of an outage says already how
// many should have answered and, of a partial one, how many did. Who is notified gets to see it.
func TestFirstWordHasItsFigures(t *testing.T) {
	m := lab.Reference(1)
	from := m.Start.Add(3 * day)
	three := netip.MustParsePrefix("198.18.2.0/24")
	m.Events = []lab.Event{
		{From: from, To: from.Add(3 * hour), Effect: lab.Darkens, Prefixes: []netip.Prefix{three}},
		{From: from.Add(2 * hour), To: from.Add(3 * hour), Effect: lab.Darkens},
	}
	first := map[string]outage.State{}
	watch(t, lab.NewSimulation(m, 1), elevenMinutes, 3*day+5*hour, func(f outage.Findings) {
		for _, o := range f.Outages {
			if _, known := first[o.ID]; known {
				continue
			}
			first[o.ID] = o.Kind
			if o.Expected == 0 || o.Kind == outage.Partial && (o.Observed == 0 || len(o.Gone) == 0) {
				t.Errorf("%s is published as %v first with %d of %v answering, gone %v", o.ID, o.Kind, o.Observed, o.Expected, o.Gone)
			}
		}
	})
	if len(first) != 3 {
		t.Errorf("want the space, partial first, and two blocks: %v", first)
	}
}

// TestSpaceIsPartialWhileABlockIsDark makes a /24 dark, then the space for a while, and then the /24 alone again: the space's
// outage lasts until the /24 is back, and is total in the middle only.
func TestSpaceIsPartialWhileABlockIsDark(t *testing.T) {
	for seed := range uint64(cases(4, 30)) {
		m := lab.Reference(seed)
		from := m.Start.Add(3 * day)
		three := netip.MustParsePrefix("198.18.2.0/24")
		m.Events = []lab.Event{
			{From: from, To: from.Add(5 * hour), Effect: lab.Darkens, Prefixes: []netip.Prefix{three}},
			{From: from.Add(2 * hour), To: from.Add(3 * hour), Effect: lab.Darkens},
		}
		h := watch(t, lab.NewSimulation(m, seed), elevenMinutes, 3*day+12*hour, nil)
		list := slices.DeleteFunc(h.Outages(false), func(o outage.Outage) bool { return o.Kind != outage.Total })
		if len(list) != 1 || list[0].End == nil {
			t.Errorf("seed %d: want one outage that ended, got %+v", seed, list)
			continue
		}
		o := list[0]
		if o.End.At < from.Add(4*hour+30*minute) || o.Length(outage.Total, o.End.At) > 70*minute {
			t.Errorf("seed %d: it ends at %v, total for %d min, though the /24 is dark until %v: %+v", seed, o.End, o.Length(outage.Total, o.End.At)/minute, from.Add(5*hour), o.Phases)
		}
	}
}

// TestStartsOfLossUnderCorePasses: where the core is asked every minute, more is sent before a partial outage is declared than is
// kept. It is dated nevertheless.
func TestStartsOfLossUnderCorePasses(t *testing.T) {
	held, all := 0, 0
	for seed := range uint64(cases(4, 60)) {
		w := newWorld(t, seed).like2014()
		w.core = time.Minute
		from := simStart.Add(day/2 + int64(seed)*37_000)
		to := from.Add((8 + int64(seed%5)) * minute)
		w.loss = func(at probe.Instant, a netip.Addr) float64 {
			if at >= from && at < to && a.Less(w.space.Addr(256)) {
				return 0.8
			}
			return 0.005
		}
		h, _ := w.run(72)
		for _, o := range h.Outages(false) {
			if all++; o.Start.Earliest <= from && from <= o.Start.Latest {
				held++
			} else {
				t.Logf("seed %d: starts %v, truth %v, declared %v", seed, o.Start, from, o.DeclaredAt)
			}
		}
	}
	if all == 0 {
		t.Fatal("none is found")
	}
	nineInTen(t, held, all)
}

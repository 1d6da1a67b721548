package outage_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

// spaced adds n events of one kind to a model, of random lengths and a day or so apart, and returns how long it then lasts.
func spaced(m *lab.Model, seed uint64, n int, like lab.Event, least, most int64) int64 {
	rng := rand.New(rand.NewPCG(seed, 11))
	at := m.Start.Add(2 * day)
	for range n {
		length := least + rng.Int64N(most-least)
		e := like
		e.From, e.To = at, at.Add(length)
		m.Events = append(m.Events, e)
		at = at.Add(length + 12*hour + rng.Int64N(24*hour))
	}
	return int64(at - m.Start)
}

// TestP5BlockOfThreeInTheReferenceWorld makes all of a /24 of three responders dark, of a space of 34: under the thresholds
// of others, yet a whole /24.
func TestP5Reference(t *testing.T) {
	three := netip.MustParsePrefix("198.18.2.0/24")
	found, named, n := 0, 0, 0
	for seed := range uint64(cases(4, 20)) {
		m := lab.Reference(seed)
		lasts := spaced(&m, seed, 15, lab.Event{Effect: lab.Darkens, Prefixes: []netip.Prefix{three}}, 33*minute, 4*hour)
		s := lab.NewSimulation(m, seed)
		asleep := map[probe.Instant]bool{}
		for _, e := range m.Events {
			_ = e
		}
		h := watch(t, s, elevenMinutes, lasts, nil)
		for i := range m.Events {
			e := &m.Events[i]
			if asleep[e.From] {
				continue
			}
			n++
			k := slices.IndexFunc(h.Outages(false), func(o outage.Outage) bool { return meets(&o, e) })
			if k < 0 || h.Outages(false)[k].DeclaredAt > e.From+33*minute {
				t.Logf("seed %d: %v to %v: %d", seed, e.From, e.To, k)
				continue
			}
			found++
			if o := h.Outages(false)[k]; slices.Contains(o.Dark, three) {
				named++
			} else {
				t.Logf("seed %d: dark %v", seed, o.Dark)
			}
		}
	}
	t.Logf("%d of %d found within three rounds, %d of them named", found, n, named)
}

func TestP8Nightly(t *testing.T) {
	for seed := range uint64(cases(2, 20)) {
		m := lab.Reference(seed)
		first := m.Start.Add(3*day + 17*hour)
		m.Events = lab.Nightly(lab.Event{From: first, To: first.Add(8 * hour), Effect: lab.Darkens}, 72)
		var got measured
		h := watch(t, lab.NewSimulation(m, seed), elevenMinutes, 80*day, nil)
		got.compare(t, m.Events, h.Outages(false))
		t.Logf("%d of %d nights, %d held; width %d", got.found, got.true, got.held, quantile(got.starts, 50))
	}
}

// TestP6Conditions filters one protocol, or limits the rate of replies, in a hundred cases: none is an outage. What is
// dark because its hosts are off is none of theirs.
func TestP6Conditions(t *testing.T) {
	for seed := range uint64(cases(20, 100)) {
		m := lab.Reference(seed)
		like := lab.Event{Effect: lab.Filters, Protocol: m.Protocols[seed%3]}
		if seed%2 == 1 {
			like = lab.Event{Effect: lab.Limits, Rate: 0.1 + float64(seed%7)/10}
		}
		lasts := spaced(&m, seed, 4, like, 33*minute, 30*hour)
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

package main

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

// cell is a kind of thing that befalls the space, and a row of the scoreboard.
type cell struct {
	label    string
	kind     outage.State // Total or Partial; Up: it is no outage, and who declares one was fooled
	least    time.Duration
	most     time.Duration
	strike   func() lab.Event // without its times
	perYear  int
	everyDay int // nights in a row; 0: it comes once
}

const (
	nights   = 21
	quiet    = 8 * day      // first: a week's history, and some
	apart    = 17 * day / 2 // from slot to slot: an outage of a day, begun within half a day, leaves a week
	jitter   = day / 2
	yearDays = 365
)

// darkBlock is the reference world's block of three.
const darkBlock = "198.18.2.0/24"

// cells is all that is played, in the order of the rows. A year has room for 38 of them beside the nights.
func cells(round time.Duration) []cell {
	out := totals(round)
	out = append(out, cell{
		label: fmt.Sprintf("total, each of %d nights", nights), kind: outage.Total,
		least: max(time.Hour, 2*round), most: max(3*time.Hour, 3*round), strike: everywhere(lab.Darkens), perYear: 1, everyDay: nights,
	})
	out = append(out, partials(round)...)
	return append(out, innocents(round)...)
}

func totals(round time.Duration) []cell {
	short := max(time.Hour, 3*round)
	long := max(6*time.Hour, short+round)
	total := func(label string, least, most time.Duration) cell {
		return cell{label: "total, " + label, kind: outage.Total, least: least, most: most, strike: everywhere(lab.Darkens), perYear: 3}
	}
	return []cell{
		total("1-2 rounds", round, 2*round),
		total("2 rounds to "+brief(short), 2*round, short),
		total(brief(short)+" to "+brief(long), short, long),
		total(brief(long)+" to 1 day", long, 24*time.Hour),
	}
}

// partials is every depth by every length.
func partials(round time.Duration) []cell {
	depths := []struct {
		label  string
		strike func() lab.Event
	}{
		{"a /24 of 3", blockDark}, {"30 % gone", gone(0.3)}, {"50 % gone", gone(0.5)},
		{"70 % gone", gone(0.7)}, {"loss of 50 %", loses(0.5)}, {"loss of 80 %", loses(0.8)},
	}
	var out []cell
	for _, d := range depths {
		partial := func(label string, least, most time.Duration) {
			label = cmp.Or(label, "about "+brief((least+most)/2))
			out = append(out, cell{label: d.label + ", " + label, kind: outage.Partial, least: least, most: most, strike: d.strike, perYear: 1})
		}
		partial("2-3 rounds", 2*round, 3*round)
		partial("", max(50*time.Minute, 3*round), max(70*time.Minute, 4*round))
		partial("", max(5*time.Hour, 4*round), max(7*time.Hour, 5*round))
	}
	return out
}

// innocents is what is no outage of the space.
func innocents(round time.Duration) []cell {
	fault := func(label string, e lab.Effect, perYear int) cell {
		return cell{label: label, kind: outage.Up, least: 5 * time.Minute, most: max(3*time.Hour, 2*round), strike: everywhere(e), perYear: perYear}
	}
	filter := func() lab.Event { return lab.Event{Effect: lab.Filters, Protocol: probe.ICMP} }
	return []cell{
		fault("our link cut", lab.CutsUsOff, 2), fault("our sends fail", lab.BlocksSends, 2), fault("we are stopped", lab.StopsUs, 1),
		{label: "ICMP filtered", kind: outage.Up, least: 2 * round, most: 12 * time.Hour, strike: filter, perYear: 3},
	}
}

func brief(d time.Duration) string { return fmt.Sprintf("%.3g h", d.Hours()) }

func everywhere(e lab.Effect) func() lab.Event {
	return func() lab.Event { return lab.Event{Effect: e} }
}

func blockDark() lab.Event {
	return lab.Event{Effect: lab.Darkens, Prefixes: []netip.Prefix{netip.MustParsePrefix(darkBlock)}}
}

func gone(share float64) func() lab.Event {
	return func() lab.Event { return lab.Event{Effect: lab.Empties, Share: share} }
}

func loses(share float64) func() lab.Event {
	return func() lab.Event { return lab.Event{Effect: lab.Loses, Share: share} }
}

// truth is something that befell the space.
type truth struct {
	cell     int
	kind     outage.State
	from, to probe.Instant
}

// schedule lays a year's cells into slots, puts their events into the model, and says what is true.
func schedule(m *lab.Model, all []cell, seed uint64) []truth {
	rng := rand.New(rand.NewPCG(seed, 7))
	sim := lab.NewSimulation(*m, seed) // to ask whom events strike
	var deck []int
	for i := range all {
		for range all[i].perYear {
			deck = append(deck, i)
		}
	}
	rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	var truths []truth
	slot := m.Start.Add(quiet)
	for _, i := range deck {
		c := &all[i]
		for _, e := range c.events(sim, slot, rng) {
			m.Events = append(m.Events, e)
			truths = append(truths, truth{cell: i, kind: c.kind, from: e.From, to: e.To})
		}
		slot = slot.Add(apart + int64(c.everyDay)*day)
	}
	slices.SortFunc(truths, func(a, b truth) int { return int(a.from - b.from) })
	return truths
}

func (c *cell) events(sim *lab.Simulation, slot probe.Instant, rng *rand.Rand) []lab.Event {
	e := c.strike()
	e.From = slot.Add(rng.Int64N(jitter))
	for e.Effect == lab.Empties && math.Abs(sim.Emptied(e)-e.Share) > 0.02 {
		e.From++ // it draws anew for every host
	}
	e.To = e.From.Add(c.least.Milliseconds() + rng.Int64N((c.most - c.least).Milliseconds()))
	return lab.Nightly(e, max(1, c.everyDay))
}

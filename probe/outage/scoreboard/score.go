package main

import (
	"cmp"
	"slices"

	"brownout/probe"
	"brownout/probe/outage"
)

// score is how a detector fared.
type score struct {
	alarms   int     // that were false
	exposed  float64 // years in which one would have been
	found    []share // by cell; of what is no outage: who was fooled
	kind     share   // right, of what was found
	partial  timing
	total    timing
	probes   int64
	observed float64 // days
}

// timing is of the outages of a kind that were found. Times are in seconds.
type timing struct {
	holds             share // start and end lie in their intervals
	onset, end, delay []float64
	widths            []float64 // of the intervals
}

func (t *timing) join(u *timing) {
	t.holds = t.holds.plus(u.holds)
	t.onset, t.end, t.delay = append(t.onset, u.onset...), append(t.end, u.end...), append(t.delay, u.delay...)
	t.widths = append(t.widths, u.widths...)
}

// join adds another year's.
func (s *score) join(t *score) {
	s.alarms, s.exposed = s.alarms+t.alarms, s.exposed+t.exposed
	if s.found == nil {
		s.found = make([]share, len(t.found))
	}
	for i := range t.found {
		s.found[i] = s.found[i].plus(t.found[i])
	}
	s.kind = s.kind.plus(t.kind)
	s.partial.join(&t.partial)
	s.total.join(&t.total)
	s.probes, s.observed = s.probes+t.probes, s.observed+t.observed
}

// score compares what a detector said with what was true.
func (y *year) score(j judgement) *score {
	s := &score{found: make([]share, len(y.cells)), probes: j.probes, observed: yearDays}
	s.alarms, s.exposed = len(y.alarms(j.verdicts)), y.exposed()
	for i := range y.truths {
		t := &y.truths[i]
		begun := slices.DeleteFunc(slices.Clone(j.verdicts), func(v verdict) bool { return !y.finds(&v, t) })
		s.found[t.cell].add(len(begun) > 0)
		if len(begun) > 0 && t.kind != outage.Up {
			s.credit(t, begun)
		}
	}
	return s
}

// finds reports whether a verdict is of something that befell the space: where that is no outage, of any block.
func (y *year) finds(v *verdict, t *truth) bool {
	return (t.kind == outage.Up || v.block == outage.SpaceBlock) && y.beginsAt(v, t.from, t.to, 1)
}

// beginsAt reports whether a verdict begins within a time, give or take some rounds. One that began long before finds
// nothing, so that crying always is no way to find all.
func (y *year) beginsAt(v *verdict, from, to probe.Instant, rounds int64) bool {
	slack := rounds * y.cadence.Round.Milliseconds()
	return v.start.Earliest <= to.Add(slack) && v.start.Latest >= from.Add(-slack)
}

// credit takes of the verdicts that found an outage the one that covers most of it.
func (s *score) credit(t *truth, begun []verdict) {
	v := slices.MaxFunc(begun, func(a, b verdict) int { return cmp.Compare(t.covered(&a), t.covered(&b)) })
	first := slices.MinFunc(begun, func(a, b verdict) int { return cmp.Compare(a.declared, b.declared) })
	s.kind.add(v.kind == t.kind)
	times := &s.partial
	if t.kind == outage.Total {
		times = &s.total
	}
	times.holds.add(v.holds(t))
	times.widths = append(times.widths, seconds(v.start.Latest-v.start.Earliest))
	times.onset = append(times.onset, seconds(max(v.start.At-t.from, t.from-v.start.At)))
	times.delay = append(times.delay, seconds(first.declared-t.from))
	if v.ended {
		times.widths = append(times.widths, seconds(v.end.Latest-v.end.Earliest))
		times.end = append(times.end, seconds(max(v.end.At-t.to, t.to-v.end.At)))
	}
}

// covered is how much of an outage a verdict covers.
func (t *truth) covered(v *verdict) int64 {
	return int64(min(t.to, v.until()) - max(t.from, v.start.At))
}

// holds reports whether an outage's start and end lie in a verdict's intervals.
func (v *verdict) holds(t *truth) bool {
	return v.ended && contains(v.start, t.from) && contains(v.end, t.to)
}

func contains(i outage.Interval, t probe.Instant) bool { return i.Earliest <= t && t <= i.Latest }

func seconds(t probe.Instant) float64 { return float64(t) / 1000 }

// near is how many rounds after something befell the space an alarm may still be owed to it.
const near = 2

// alarms is the verdicts of all blocks that nothing explains. Of several blocks' at one time it is the first.
func (y *year) alarms(verdicts []verdict) []verdict {
	var wrong []verdict
	for _, v := range verdicts {
		if v.start.At >= y.scored.From && v.start.At < y.scored.To && !y.explains(&v) {
			wrong = append(wrong, v)
		}
	}
	slices.SortStableFunc(wrong, func(a, b verdict) int { return cmp.Compare(a.start.Earliest, b.start.Earliest) })
	until := probe.Instant(0)
	return slices.DeleteFunc(wrong, func(v verdict) bool {
		again := v.start.Earliest < until
		until = max(until, v.until())
		return again
	})
}

func (y *year) explains(v *verdict) bool {
	return slices.ContainsFunc(y.truths, func(t truth) bool { return y.beginsAt(v, t.from, t.to, near) }) ||
		slices.ContainsFunc(y.silences, func(s silence) bool {
			return (s.block == v.block || v.block == outage.SpaceBlock && v.kind == outage.Partial) && y.beginsAt(v, s.from, s.to, 1)
		})
}

// exposed is the years in which an alarm would be false.
func (y *year) exposed() float64 {
	left := int64(y.scored.To - y.scored.From)
	for _, t := range y.truths {
		left -= int64(t.to-t.from) + 2*near*y.cadence.Round.Milliseconds()
	}
	return float64(left) / (yearDays * day)
}

// recall is the share of the cells of a kind that was found, some left out.
func (s *score) recall(all []cell, of func(*cell) bool) share {
	var sum share
	for i := range all {
		if of(&all[i]) {
			sum = sum.plus(s.found[i])
		}
	}
	return sum
}

func isOutage(c *cell) bool { return c.kind != outage.Up }

package main

import (
	"brownout/probe"
	"brownout/probe/outage"
)

// verdict is an outage as a detector declares it.
type verdict struct {
	block      string
	kind       outage.State // Partial or Total
	start, end outage.Interval
	ended      bool
	declared   probe.Instant
}

// until is the end of the verdict, or of time while it lasts.
func (v *verdict) until() probe.Instant {
	if !v.ended {
		return outage.EndOfTime
	}
	return v.end.Latest
}

// judgement is what a detector said of a year, and how many probes it took.
type judgement struct {
	verdicts []verdict
	probes   int64
}

// sweep is a full round as the peers see it.
type sweep struct {
	start, end probe.Instant
	answered   []uint16 // indices into the year's addresses, ascending
	whole      bool     // whether all was sent
}

func (s *sweep) count() int { return len(s.answered) }

// glance is one look at the space, and what a rule makes of it.
type glance struct {
	start, end probe.Instant // of the looking
	low        bool          // below what the rule demands
	over       bool          // enough for what was low to be over
	nobody     bool          // nothing answered
}

// episodes turns glances into verdicts on the space: so many low ones in a row begin one, and the first that is over
// ends it. It is total if nothing answered in any of them, else partial. A published rule has no such kinds; it is the
// reading that favours it.
type episodes struct {
	inRow    int
	said     []verdict
	good     glance // the last before the low ones
	bad      glance // the last that was not over
	low      int    // in a row
	open     bool
	next     verdict
	anything bool // whether good is one
}

// latency is what a reply may take: a round is not judged before.
const latency = 3_000

func (e *episodes) put(g glance) {
	switch {
	case e.open && g.over:
		e.close(g)
	case e.open:
		e.worsen(g)
	case g.low:
		e.doubt(g)
	default:
		e.low = 0
		if g.over || !e.anything { // a belief may be neither low nor over
			e.good, e.anything = g, true
		}
	}
}

// doubt takes in a low glance while nothing was declared.
func (e *episodes) doubt(g glance) {
	if !e.anything {
		e.good, e.anything = g, true
	}
	if e.low == 0 {
		e.next = verdict{block: outage.SpaceBlock, kind: outage.Partial, start: between(e.good.start, g.end)}
	}
	e.low++
	e.worsen(g)
	if e.low >= e.inRow {
		e.open, e.next.declared = true, g.end.Add(latency)
	}
}

func (e *episodes) worsen(g glance) {
	e.bad = g
	if g.nobody {
		e.next.kind = outage.Total
	}
}

func (e *episodes) close(g glance) {
	e.next.end, e.next.ended = between(e.bad.start, g.end), true
	e.said = append(e.said, e.next)
	e.good, e.low, e.open = g, 0, false
}

// verdicts is what was declared, the one under way included.
func (e *episodes) verdicts() []verdict {
	if !e.open {
		return e.said
	}
	return append(e.said, e.next)
}

func between(from, to probe.Instant) outage.Interval {
	return outage.Interval{Earliest: from, At: from + (to-from)/2, Latest: to}
}

package outage

import (
	"math"
	"net/netip"
	"slices"

	"brownout/probe"
)

const (
	movedWithin  = day     // milliseconds from hosts' falling silent to others' being lit
	shiftedAfter = 7 * day // milliseconds: a partial outage that has lasted so long is how the block is
	mostNamed    = 64      // addresses in a record
)

// newcomers is the hosts of a block that were lit within a day before or after a moment, once the block had been learned.
func (d *Detector) newcomers(b *block, t probe.Instant) []int32 {
	var out []int32
	for i, h := range d.hostsOf(b) {
		if h.New && h.First >= t-movedWithin && h.First <= t+movedWithin {
			out = append(out, i)
		}
	}
	return out
}

// leavers is the usual hosts of a block that have been silent since a moment.
func (d *Detector) leavers(b *block, since probe.Instant) []int32 {
	var out []int32
	for i, h := range d.hostsOf(b) {
		if h.Usual && h.Since != 0 && h.Lived <= since && !h.Answers {
			out = append(out, i)
		}
	}
	return out
}

// movedTo is the newcomers that make up for hosts that left at a moment: about as many, and at least three; nil where they
// do not.
func (d *Detector) movedTo(b *block, left []int32, at probe.Instant) []int32 {
	lit := d.newcomers(b, at)
	if n, m := len(left), len(lit); n < usualForDark || 10*m < 6*n || 10*m > 17*n {
		return nil
	}
	return lit
}

// livesElsewhere is those, since a day before an outage began, by whom a block is as alive again as it was, for all that its usual
// hosts are not: newcomers, and who is back after a long absence. It is nil where the block is not, or where those that came since the
// outage began do not make up for those that left then, or are too few to have made one: where customers come and go, some always come.
func (d *Detector) livesElsewhere(b *block, left []int32, start Interval) []int32 {
	var lit []int32
	answering, since := int64(0), int64(0)
	for i, h := range d.hostsOf(b) {
		came := h.came(start.Earliest)
		if !h.Answers || h.Expected == 0 && !h.New {
			continue
		}
		answering++
		if came < start.At-movedWithin {
			continue
		}
		lit = append(lit, i)
		if came >= start.Earliest.Add(-2*d.MedianGap) {
			since++
		}
	}
	if len(lit) < usualForDark || len(left) < usualForDark || answering*million*10 < b.Expected*9 {
		return nil
	}
	if gone := int64(len(d.leavers(b, start.Latest))); 10*since < 6*gone || 20*since*million < 3*b.Alive {
		return nil
	}
	return lit
}

// came is when somebody else may have come to live at an address: when it was first seen to live, or was back after half a day of absence
// that had lasted as long when an outage began; 0 where that was neither.
func (h *host) came(began probe.Instant) probe.Instant {
	const absence = 12 * 3600_000 // milliseconds
	switch {
	case h.Left != 0 && h.Left.Add(absence) < min(h.Back.Earliest, began):
		return h.Back.At
	case h.New:
		return h.First
	}
	return 0
}

// resettle takes newcomers for usual from now on, and forgets hosts that left.
func (d *Detector) resettle(b *block, left, lit []int32, at, seen probe.Instant) {
	moved := Report{Condition: Moved, Since: at, Addresses: d.addresses(lit), Rounds: d.roundsAround(at, seen)}
	for _, i := range left {
		for _, k := range d.Hosts[i].Services {
			d.Services[k].forgetAll()
		}
		d.Hosts[i].Since, d.Hosts[i].Weight = 0, 0
		d.Hosts[i].First, d.Hosts[i].New = EndOfTime, true // whoever lives there next has just come
	}
	for _, i := range append(d.newcomers(b, at), lit...) {
		d.Hosts[i].New = false
		for _, k := range d.Hosts[i].Services {
			s := &d.Services[k]
			s.N = min(s.N, s.Life+2*counted) // its silence of before it was lit is not its own
		}
	}
	for _, b := range []*block{b, &d.Parts[0]} { // what moved in a block moved in the space
		b.Moved = moved
		b.doubtNoMore(seen)
	}
	d.refresh(seen)
}

// sinceMove is the rounds, as a service counts them, since hosts of the space last moved, if that is less than a day ago.
func (d *Detector) sinceMove(at probe.Instant) int64 {
	m := &d.Parts[0].Moved
	if m.Condition != Moved || at.Add(-movedWithin) > m.Since || d.MedianGap == 0 {
		return math.MaxInt64
	}
	return int64(at-m.Since) / d.MedianGap * counted
}

// forgetAll unlearns a service.
func (s *service) forgetAll() {
	s.N, s.Life, s.AfterLifeN, s.AfterLifeSilent, s.AfterSilenceN, s.AfterSilenceSilent = 0, 0, 0, 0, 0, 0
	s.Fresh, s.Held = noTrial, noTrial
}

func (d *Detector) addresses(hosts []int32) []netip.Addr {
	out := []netip.Addr{}
	for _, i := range hosts[:min(len(hosts), mostNamed)] {
		out = append(out, d.Hosts[i].Addr)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

// outlast looks at an outage, of a block that is partial now, at the end of a full round: its hosts may have moved, or it may
// be how things are now. Either way it ends, as a finding that revises it.
func (d *Detector) outlast(b *block, seen probe.Instant) {
	o := b.Open
	if b.State != Partial {
		return
	}
	left := d.leavers(b, seen)
	wait := o.Cause == causeReturn && seen < o.Back.Latest.Add(regainedWithin*d.MedianGap) // its own hosts may yet come back
	if lit := d.livesElsewhere(b, left, o.Start); lit != nil && !wait && (b.Index == 0 || o.Kind == Partial) {
		start := o.Start.At
		d.endAsMoved(b, lit, d.movedBy(o, lit, seen), seen)
		for _, part := range d.openParts(b) {
			d.endPartAsMoved(part, lit, seen)
		}
		d.resettle(b, left, lit, start, seen)
		return
	}
	if d.alive(b, EndOfTime) < hostsForBlock {
		o.Sparse = seen
	}
	if d.lookedAt(b, max(o.lastPhase().Start.At, o.Sparse), seen) < shiftedAfter || d.shiftsWithSpace(b) {
		return
	}
	d.shift(b, seen)
	for _, part := range d.openParts(b) {
		d.shift(part, seen)
	}
}

// shiftsWithSpace reports whether a block's outage is part of one of the space's that lasts: did it shift first, the space would seem to
// have come back.
func (d *Detector) shiftsWithSpace(b *block) bool {
	whole := d.Parts[0].Open
	return b.Index != 0 && d.Parts[0].State == Partial && b.Open.PartOf != nil && *b.Open.PartOf == whole.ID
}

// lookedAt is for how many milliseconds of a time a block was seen: what we did not see closes no outage.
func (d *Detector) lookedAt(b *block, from, to probe.Instant) int64 {
	ms := int64(to - from)
	for _, u := range d.unseenOf(b) {
		until := to
		if u.To != 0 {
			until = min(until, u.To)
		}
		ms -= max(0, int64(until-max(from, u.From)))
	}
	return ms
}

// openParts is the blocks of the space that have an outage, where b is the space: what explains the space's explains theirs.
func (d *Detector) openParts(b *block) (open []*block) {
	for i := 1; b.Index == 0 && i < len(d.Parts); i++ {
		if part := &d.Parts[i]; part.Open != nil {
			open = append(open, part)
		}
	}
	return open
}

// regainedWithin is how many rounds after a total outage a block's own hosts are waited for.
const regainedWithin = 3

// movedBy is when a block lived again elsewhere: when it came back from total, if nearly all of its new hosts were lit then.
func (d *Detector) movedBy(o *record, lit []int32, seen probe.Instant) Interval {
	then := 0
	for _, i := range lit {
		if d.Hosts[i].First <= o.Back.Latest.Add(regainedWithin*d.MedianGap) {
			then++
		}
	}
	if o.Cause == causeReturn && 10*then >= 9*len(lit) {
		return o.Back
	}
	return instant(max(seen, o.Start.Latest))
}

// endAsMoved ends an outage as one whose hosts live elsewhere. It was none, unless nothing of the space lived in between.
func (d *Detector) endAsMoved(b *block, lit []int32, end Interval, seen probe.Instant) {
	was := Up
	if b.Open.Kind == Total && (b.Index == 0 || d.spaceWasTotal(b.Open.Start)) {
		was = Total
	}
	d.revise(b, b.Open, Revision{At: seen, Finding: Moved, Kind: was, Addresses: d.addresses(lit), Rounds: d.roundsAround(seen-1, seen)})
	d.close(b, end, seen)
}

// endPartAsMoved does so now for a block's outage, or where that is said to have begun later.
func (d *Detector) endPartAsMoved(part *block, lit []int32, seen probe.Instant) {
	d.endAsMoved(part, lit, instant(max(seen, part.Open.lastPhase().Start.Latest)), seen)
}

// spaceWasTotal reports whether the space's last outage, which is over, was total and overlaps the start of a block's.
func (d *Detector) spaceWasTotal(start Interval) bool {
	space := &d.Parts[0]
	return space.Open == nil && space.Last != nil && space.Last.Kind == Total && overlaps(&space.Last.Outage, start)
}

// shift ends an outage as how things are now.
func (d *Detector) shift(b *block, seen probe.Instant) {
	o := b.Open
	d.revise(b, o, Revision{At: seen, Finding: Shifted, Kind: o.Kind, Addresses: []netip.Addr{}, Rounds: d.roundsAround(seen-1, seen)})
	d.close(b, instant(seen), seen)
	d.relearn(b, seen)
}

// relearn begins a block anew, as it is now.
func (d *Detector) relearn(b *block, seen probe.Instant) {
	b.Moved = Report{Condition: Shifted, Since: seen, Addresses: []netip.Addr{}, Rounds: d.roundsAround(seen-1, seen)}
	for i := range d.Services {
		if b.holds(&d.Hosts[d.Services[i].Host]) {
			d.Services[i].forgetAll()
		}
	}
	b.Rounds, b.Hours, b.Sinking = 0, [24]hourly{}, sinking{}
	d.refresh(seen)
	d.move(b, Learning, seen, seen, "")
}

// anyIn reports whether any of some hosts is a block's.
func (d *Detector) anyIn(b *block, hosts []int32) bool {
	return slices.ContainsFunc(hosts, func(i int32) bool { return b.holds(&d.Hosts[i]) })
}

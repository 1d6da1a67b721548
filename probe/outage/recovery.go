package outage

import (
	"cmp"
	"net/netip"
	"slices"

	"brownout/probe"
)

// tryClose ends an outage when the block is alive again, and nothing in it is dark any more.
func (d *Detector) tryClose(b *block, seen probe.Instant) {
	if b.State != Partial || b.Looks.Ended {
		return
	}
	if !d.regained(b, seen) {
		b.Open.Short = seen
		if d.stillGone(b) {
			b.Loss.Back = nil // the others live, but they did all the time
		}
		return
	}
	if b.Index == 0 && slices.ContainsFunc(d.Parts[1:], func(c block) bool { return c.State == Total || c.State == Unknown }) {
		return
	}
	if end := d.recovery(b, seen); end != (Interval{}) {
		d.close(b, d.inUnasked(b, d.afterBlocks(b, end)), seen)
	}
}

// stillGone reports whether those that have not lived since the outage began are a tenth of what is expected.
func (d *Detector) stillGone(b *block) bool { return 10*d.goneSince(b) >= b.Expected }

// goneSince is how many addresses, in millionths, are silent that have not lived since a block's outage began.
func (d *Detector) goneSince(b *block) (gone int64) {
	for _, h := range d.hostsOf(b) {
		if !h.Answers && h.Lived <= b.Open.Start.Latest {
			gone += h.Expected
		}
	}
	return gone
}

// afterBlocks is the end of the space's outage, or the end of the last block that was certainly dark beyond it, for as long as
// an outage takes: the space was partial until then.
func (d *Detector) afterBlocks(b *block, end Interval) Interval {
	if b.Index != 0 {
		return end
	}
	last := end
	for i := 1; i < len(d.Parts); i++ {
		for _, p := range append(d.Parts[i].Last.darkened(), d.Parts[i].Open.darkened()...) {
			if p.Start.At <= end.At && int64(p.End.Earliest-end.Latest) >= d.longEnough() && p.End.At > last.At {
				last = *p.End
			}
		}
	}
	return last
}

// darkened is the times, that are over, for which an outage was total.
func (r *record) darkened() (out []Phase) {
	if r == nil {
		return nil
	}
	for _, p := range r.Phases {
		if p.Kind == Total && p.End != nil {
			out = append(out, p)
		}
	}
	if n := len(out); n > 0 && r.End == nil && r.Cause == causeReturn { // the phase ended with the life of one host
		out[n-1].End = &r.Back
	}
	return out
}

// regained reports whether a block has regained 0.9 of the rate it had, or of the addresses that answered before, among those
// known then: where they come and go, those that answered last are not those that answer next. By chance that may take long: two
// rounds after life came back from a total outage, it is enough that so many may be missing by chance, or that nothing speaks for
// a partial one, and fewer than a tenth have been away since it began.
func (d *Detector) regained(b *block, seen probe.Instant) bool {
	if b.Open.Cause == causeSunken {
		return d.risen(b, seen)
	}
	rate := d.rateAtBest(b)
	alive := d.alive(b, b.Open.Start.Latest) * million
	missing := b.Alive - alive
	if rate*10 >= b.Before*9 || b.Alive > 0 && 10*missing <= b.Alive || d.asTheUntouched(b, seen) || b.asOnOtherDays(alive, seen) && !d.mostStayedAway(b) {
		return true
	}
	if b.Open.Cause != causeReturn || seen < b.Open.Back.Latest.Add(2*d.MedianGap) {
		return false
	}
	if h := &b.Hours[hourOf(seen)]; b.Alive > 0 && d.byChance(b, missing) || h.known() && d.byChance(b, max(h.Alive-alive, 0)) {
		return true
	}
	_, odds := b.Loss.worst()
	return rate > lessThanUsual && max(odds, d.exodus(b).Odds) < certain && !d.stillGone(b)
}

// asOnOtherDays reports whether nine in ten answer of those that did in this hour on other days: at night few may, and who slept before
// an outage ended is not missed until the morning. Loss may come and go, and is judged by itself.
func (b *block) asOnOtherDays(alive int64, seen probe.Instant) bool {
	_, odds := b.Loss.worst()
	h := &b.Hours[hourOf(seen)]
	return b.Open.Cause != causeLoss && odds < certain && h.known() && h.Alive > 0 && 10*alive >= 9*h.Alive
}

// mostStayedAway reports whether of what was missing at an outage's worst more than half has been away since it began: in that as many answer
// as on other days because there were outages then, too, at this hour, and nothing has come back.
func (d *Detector) mostStayedAway(b *block) bool {
	return 2*d.goneSince(b) > (million-min(b.Open.Worst, million))*(b.Expected/million)
}

// asTheUntouched reports whether those hosts that an outage had silenced live again as the others do, nine for their ten: at an
// hour at which many sleep, neither live as they did before. At least half of them are back. Those that had left before it
// are neither. Nobody sleeps who was silent for three rounds only: loss would make the untouched look asleep.
func (d *Detector) asTheUntouched(b *block, seen probe.Instant) bool {
	if _, odds := b.Loss.worst(); odds >= certain {
		return false // those that are back may be gone again
	}
	const least = 10
	o := b.Open
	var hosts int
	var expected, living [2]int64 // millionths, of those untouched and of those silenced
	for _, h := range d.hostsOf(b) {
		if !h.Usual {
			continue
		}
		k := 0
		switch {
		case h.Back.At > o.Start.At || h.Since != 0 && h.Lived <= o.Start.Latest && h.Since >= o.Start.Earliest.Add(-d.MedianGap):
			k = 1
		case h.Since != 0 && h.Lived <= o.Start.Latest:
			continue
		default:
			hosts++
		}
		expected[k] += h.Expected
		if h.Answers || k == 0 && h.Since >= seen.Add(-3*d.MedianGap) {
			living[k] += million
		}
	}
	share := int64(million)
	if hosts >= least {
		share = min(living[0]*1000/max(expected[0]/1000, 1), million)
	}
	return expected[1] > 0 && 2*living[1] >= expected[1] && 10*living[1] >= 9*(expected[1]/1000)*(share/1000)
}

// byChance reports whether so many addresses, in millionths, may be missing because they come and go: at most two standard
// deviations of how many answer.
func (d *Detector) byChance(b *block, missing int64) bool {
	return missing/1000*(missing/1000) <= 4*d.variance(b, func(h *host) int64 { return h.Expected })
}

// variance is that of how many hosts of a block answer, in millionths, by each one's chance to.
func (d *Detector) variance(b *block, chance func(*host) int64) (sum int64) {
	for _, h := range d.hostsOf(b) {
		p := chance(h)
		sum += p * (million - p) / million
	}
	return sum
}

// recovery is when the block came back; the zero Interval while that is not certain.
func (d *Detector) recovery(b *block, seen probe.Instant) Interval {
	o := b.Open
	switch o.Cause {
	case causeSunken:
		return cmp.Or(d.returned(b), Interval{Earliest: o.Short, At: o.Short + (seen-o.Short)/2, Latest: seen})
	case causeReturn, causeGone:
		if back := d.returned(b); back != (Interval{}) {
			return b.orAsLoss(back)
		}
	case causeDark:
		end, ok := d.relit(o)
		if !ok {
			return end
		}
		if end.At > o.Start.At && end.Latest.Add(2*d.MedianGap) < o.Short { // more was silent than the prefixes, and for longer
			if back := d.returned(b); back.At > end.At {
				return back
			}
		}
		if end.At > o.Start.At {
			return end
		}
	}
	if end, odds := b.Loss.recovery(cmp.Or(o.Fraction, fractions[len(fractions)/2]), max(o.Start.At, o.Back.At)); odds >= enough {
		if o.Cause == causeLoss { // those who were away throughout may be back later than the others have shown that they live
			if back := d.returned(b); back.At > end.At {
				return back
			}
		}
		return end
	}
	return Interval{}
}

// orAsLoss bounds the end of an outage, that began as hosts that were gone, by what the loss says of it too.
func (b *block) orAsLoss(back Interval) Interval {
	o := b.Open
	if end, odds := b.Loss.recoveryOfLate(cmp.Or(o.Fraction, fractions[0]), o.Start.At); o.Cause == causeGone && odds >= certain {
		return back.with(end)
	}
	return back
}

// relit is when all of an outage's dark prefixes had come back; it is not ok before that.
func (d *Detector) relit(o *record) (end Interval, ok bool) {
	watched := o.Watched
	if len(watched) == 0 { // it opened under a version that had none, or all of them were dropped
		watched = o.Dark
	}
	for _, p := range watched {
		a := &d.Areas[d.areas[p]]
		if a.Sure != 0 || !d.mostlyBack(p, o.Start.Earliest.Add(-d.MedianGap)) {
			return Interval{}, false
		}
		if back := d.backIn(p, o); back.At > end.At {
			end = back
		}
	}
	return end, true
}

// backIn is when a dark prefix came back: with its first life or, where most of those who are back were away throughout and silent on
// after that, with them.
func (d *Detector) backIn(p netip.Prefix, o *record) Interval {
	relit := d.Areas[d.areas[p]].Relit
	var later []*host
	all, silent := int64(0), int64(0)
	for i := range d.Hosts {
		h := &d.Hosts[i]
		if !h.Usual || !h.Answers || h.Back.At <= o.Start.At || !p.Contains(h.Addr) {
			continue
		}
		all += h.Expected
		if h.Back.Earliest >= relit.Latest.Add(d.longEnough()) && h.Left <= o.Start.Latest {
			later = append(later, h)
			silent += h.Expected
		}
	}
	if 2*silent <= all {
		return relit
	}
	_, at := mostTogether(later)
	return bracket(later, at)
}

// returned is when those hosts came back that the outage had silenced: the block's own return from total or, where most
// came a minute or more after it, the moment that lies between the last silence and the first life of as many of them as
// possible. It is the zero Interval where less than half of those who are back came then. Where hosts were gone, or lost as it
// seemed, those count that were away throughout, if they are half of the gone; of loss nobody else does.
func (d *Detector) returned(b *block) Interval {
	o := b.Open
	var back, away []*host
	all, stayed, later := int64(0), int64(0), int64(0) // later: of those who stayed away, who were silent on after life had come back
	for _, h := range d.hostsOf(b) {
		if h.Expected == 0 || !h.Answers || h.Back.At <= o.Start.At {
			continue
		}
		back = append(back, h)
		all += h.Expected
		if h.Left <= o.Start.Latest {
			away = append(away, h)
			stayed += h.Expected
			if h.Back.Earliest >= o.Back.Latest.Add(d.longEnough()) {
				later += h.Expected
			}
		}
	}
	switch {
	case (o.Cause == causeGone || o.Cause == causeLoss) && 2*stayed >= (million-o.Fraction)*b.Expected/million:
		back, all = away, stayed
	case o.Cause == causeLoss:
		return Interval{}
	}
	most, at := mostTogether(back)
	switch {
	case o.Back != (Interval{}) && int64(at-o.Back.Latest) < d.longEnough() && (2*later <= stayed || 3*later <= all):
		if again := d.Areas[b.Index].Relit; again.Latest == o.Back.Latest {
			return o.Start.until(again) // silences seen since may have narrowed it
		}
		return o.Back
	case 2*most < all || most == 0:
		return Interval{}
	}
	return bracket(back, at)
}

// mostTogether is the moment at which the most of some hosts may have come back, the first such, and how many.
func mostTogether(hosts []*host) (most int64, at probe.Instant) {
	for _, h := range hosts {
		if n := together(hosts, h.Back.At); n > most || n == most && h.Back.At < at {
			most, at = n, h.Back.At
		}
	}
	return most, at
}

// together is how many hosts may have come back at t: their expectation, in millionths. Where nobody tells when in its round a host's
// last silence was sent, that was before t by chance only.
func together(hosts []*host, t probe.Instant) (sum int64) {
	for _, h := range hosts {
		if h.Back.Earliest < t && t <= h.Back.At {
			sum += h.Expected * chanceBy(h.Back.Earliest, h.BackBy, t) / million
		}
	}
	return sum
}

// bracket bounds when the hosts came back that may have at t: before the first life of any, and after so many of their last
// silences that they are no chance.
func bracket(hosts []*host, t probe.Instant) Interval {
	hosts = slices.DeleteFunc(slices.Clone(hosts), func(h *host) bool { return h.Back.Earliest >= t || t > h.Back.At })
	slices.SortStableFunc(hosts, func(a, b *host) int { return cmp.Compare(b.Back.Earliest, a.Back.Earliest) })
	in := Interval{At: EndOfTime}
	sum := int64(0)
	for _, h := range hosts {
		if sum < bounded {
			in.Earliest = h.Back.Earliest
		}
		sum += weight(max(million-h.Expected, leastSilence))
		if h.Back.At < in.At {
			in.At, in.Latest = h.Back.At, h.Back.Latest
		}
	}
	in.At = in.Earliest + (in.At-in.Earliest)/2
	return in
}

// mostlyBack reports whether of a prefix's usual addresses two thirds of those answer that should, but for those that had left
// before a moment.
func (d *Detector) mostlyBack(p netip.Prefix, since probe.Instant) bool {
	expected, back := int64(0), int64(0)
	for i := range d.Hosts {
		if h := &d.Hosts[i]; h.Usual && p.Contains(h.Addr) && (h.Since == 0 || h.Since >= since) {
			expected += h.Expected
			if h.Answers {
				back += million
			}
		}
	}
	return 3*back >= 2*expected
}

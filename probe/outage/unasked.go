package outage

import (
	"cmp"
	"slices"

	"brownout/probe"
)

// Some record a line a prefix, and none where nobody answered. Of a block that rounds have asked and ask no more nothing is known, however
// many others they ask: for it, that is a gap.

// looks is when a block was last asked.
type looks struct {
	Last  probe.Instant // start of the last full round that asked any of it
	Until probe.Instant // the end of the last line that did
	Every int64         // milliseconds from one such round to the next, on the average of late: some ask prefixes in turn
	Off   int64         // and by how many that is off, on the average: some draw whom they ask
	Ended bool          // it has not been asked for so long that it is a gap
}

// look notes which blocks a line asks.
func (d *Detector) look(r *probe.Round) {
	asked, start := d.asks(r), d.roundOf(r)
	for i := range d.Parts {
		l := &d.Parts[i].Looks
		if !asked[i] {
			continue
		}
		l.Until, l.Ended = max(l.Until, r.End), false
		if r.Kind != probe.Full || start == l.Last {
			continue
		}
		if since := int64(start - l.Last); l.Every != 0 {
			off := min(since, 3*l.Every) - l.Every
			l.Every += off / 8
			if off = max(off, -off); off > l.Off { // what was off once may be again
				l.Off += (off - l.Off) / 4
			} else {
				l.Off += (off - l.Off) / 32
			}
		} else if l.Last != 0 {
			l.Every = since
		}
		l.Last = start
	}
}

// longest is how long, in milliseconds, a block goes unasked from round to round where none is left out. Where lots decide who is asked, one
// time in a thousand is seven times the average.
func (l *looks) longest() int64 { return max(5*l.Every/2, l.Every+8*l.Off) }

// asks is which blocks a line asks any target of, by their indices.
func (d *Detector) asks(r *probe.Round) []bool {
	asked := make([]bool, len(d.Parts))
	for i := range r.Passes {
		if r.Passes[i].Targets.Equal(d.space) {
			return slices.Repeat([]bool{true}, len(d.Parts))
		}
		for _, g := range r.Passes[i].Targets.Groups(d.BlockBits) {
			if k, ok := d.areas[g.Prefix]; ok && int(k) < len(d.Parts) {
				asked[k] = true
			}
		}
	}
	asked[0] = len(r.Passes) > 0
	return asked
}

// missUnasked records, as a round begins, which blocks have not been asked for so long that it is a gap, up to the round before; and the
// space, where so much of it was not that it cannot be said to be up.
func (d *Detector) missUnasked(r *probe.Round, before probe.Instant) {
	var unasked []*block
	for i := 1; i < len(d.Parts); i++ {
		b := &d.Parts[i]
		if l := &b.Looks; b.probed() && l.Every > 0 && int64(before-l.Last) > l.longest() {
			l.Ended = true
			unasked = append(unasked, b)
			d.miss(Unseen{From: l.Until, To: r.Start, Reason: reasonGap, Block: b.Index}, r.Start)
		}
	}
	space := &d.Parts[0]
	space.Looks.Ended = false
	slices.SortStableFunc(unasked, func(a, b *block) int { return cmp.Compare(a.Looks.Until, b.Looks.Until) })
	expected := int64(0)
	for _, b := range unasked {
		if expected += b.Expected; expected >= (million-lessThanUsual)*(space.Expected/million) && !d.partialAnyway(unasked) {
			space.Looks.Ended = true
			d.miss(Unseen{From: b.Looks.Until, To: r.Start, Reason: reasonGap, Block: space.Index}, r.Start)
			return
		}
	}
}

// partialAnyway reports whether the space would be partial even if all of some blocks answered.
func (d *Detector) partialAnyway(unasked []*block) bool {
	space := &d.Parts[0]
	answering := int64(d.observed(space)) * million
	for _, b := range unasked {
		answering += max(b.Expected-int64(d.observed(b))*million, 0)
	}
	return space.Open != nil && answering <= space.Expected/million*lessThanUsual
}

// inUnasked is an end that is said of a time in which a block was not asked: it may be anywhere in that. Where the outage began in that time,
// those who were asked had it, and tell when it ended.
func (d *Detector) inUnasked(b *block, end Interval) Interval {
	for _, u := range d.Unseen {
		if u.Block == b.Index && u.Reason == reasonGap && b.Open.Start.At < u.From && u.From <= end.At && end.At < u.To {
			return Interval{Earliest: min(u.From, end.Earliest), At: u.From + (u.To-u.From)/2, Latest: max(u.To, end.Latest)}
		}
	}
	return end
}

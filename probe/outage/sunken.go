package outage

import (
	"cmp"
	"slices"

	"brownout/probe"
)

// A decline of hours is no fall that any round shows, and every evening looks like one. What tells it from an evening is that fewer
// answer then than at the worst hour of other days: a week's minimum is what a block is held against, as by Richter et al. (IMC 2018),
// but the median of those of its days, so that neither a quiet Sunday nor a decline of days moves it.

// low is the fewest addresses that answered at the end of a full round of a day, while all was well.
type low struct {
	Day   int64 // since 1970
	Alive int64 // millionths of addresses
	Parts uint8 // of the day, a bit for three hours, in which that was seen
}

// whole reports whether all of the day was seen: one of which the nights are missing has no low.
func (l *low) whole() bool { return l.Parts == 0xff }

const (
	lowDays   = 7           // that a block is held against
	lowKnown  = 5           // and the least of them
	sunkShare = 700_000     // millionths of what they say: what is below it has sunk
	sunkLeast = 5           // standard deviations by which it must, at least
	sunkAfter = 2 * 3600000 // milliseconds for which it must have, or three rounds
)

// sinking is how far a block has, of late.
type sinking struct {
	Lows  []low         // of late, by day
	Ample probe.Instant // when as many answered as at the worst hour of other days, last
	Since probe.Instant // since when fewer than sunkShare of that have; 0: they do not
}

// note takes in how many answer at the end of a full round while all is well.
func (s *sinking) note(at probe.Instant, alive int64) {
	if day := dayOf(at); len(s.Lows) == 0 || s.Lows[len(s.Lows)-1].Day != day {
		if s.Lows = append(s.Lows, low{Day: day, Alive: alive}); len(s.Lows) > lowDays+1 {
			s.Lows = slices.Delete(s.Lows, 0, 1)
		}
	}
	l := &s.Lows[len(s.Lows)-1]
	l.Alive, l.Parts = min(l.Alive, alive), l.Parts|1<<(hourOf(at)/3)
}

// part takes out of the lows what so many addresses, in millionths, had been to them that are in the space no more.
func (s *sinking) part(gone int64) {
	for i := range s.Lows {
		s.Lows[i].Alive = max(s.Lows[i].Alive-gone, 0)
	}
}

func dayOf(t probe.Instant) int64 { return int64(t) / day }

// worst is how many answer at the worst hour of a day, in millionths of addresses, by the days before that of a moment; 0 while too few
// are known.
func (s *sinking) worst(at probe.Instant) int64 {
	var lows []int64
	for _, l := range s.Lows {
		if l.Day < dayOf(at) && l.whole() {
			lows = append(lows, l.Alive)
		}
	}
	if len(lows) < lowKnown {
		return 0
	}
	slices.Sort(lows)
	return lows[len(lows)/2]
}

// sink takes in how many answer at the end of a full round, and reports whether it has sunk for long enough and by so many hosts that
// chance did not do it: then it has since an instant between when it had not at all, and when it was so far.
func (d *Detector) sink(b *block, seen probe.Instant) (since Interval, ok bool) {
	worst, alive := b.Sinking.worst(seen), d.afloat(b, seen)
	switch {
	case alive >= worst:
		b.Sinking.Ample, b.Sinking.Since = seen, 0
		return Interval{}, false
	case alive > worst/million*sunkShare:
		b.Sinking.Since = 0
		return Interval{}, false
	}
	s := &b.Sinking
	s.Since = cmp.Or(s.Since, seen)
	if int64(seen-s.Since) < max(sunkAfter, 3*d.MedianGap) || !d.beyondChance(b, worst-alive) {
		return Interval{}, false
	}
	return Interval{Earliest: s.Ample, At: s.Ample + (s.Since-s.Ample)/2, Latest: s.Since}, true
}

// afloat is how many addresses answer, in millionths, or may: those that nobody has asked of late.
func (d *Detector) afloat(b *block, now probe.Instant) (n int64) {
	for _, h := range d.hostsOf(b) {
		if h.Answers || h.Expected > 0 && !d.askedOfLate(h, now) {
			n += million
		}
	}
	return n
}

// risen reports whether nine in ten answer of as many as at the worst hour of other days, and four in five of as many as at this hour.
func (d *Detector) risen(b *block, now probe.Instant) bool {
	alive, h := d.alive(b, EndOfTime)*million, &b.Hours[hourOf(now)]
	return 10*alive >= 9*b.Sinking.worst(now) && (!h.known() || 10*alive >= 8*h.Alive)
}

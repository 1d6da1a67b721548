package outage

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"brownout/probe"
)

// An evening on which a neighbourhood goes to bed may fall from one round to the next as an outage does. What tells them apart is that as
// few answer every night.

// aliveAt is the most addresses that answered at the end of a full round within half an hour, to the minute.
type aliveAt struct {
	At    probe.Instant
	Alive int32
}

// week is how many answered in the last days. A snapshot has it by differences: it is most of what is remembered of a small block.
type week []aliveAt

// MarshalBinary is its form in a snapshot.
func (w week) MarshalBinary() ([]byte, error) {
	var out []byte
	last := aliveAt{}
	for _, a := range w {
		out = binary.AppendVarint(out, int64(a.At-last.At)/minute)
		out = binary.AppendVarint(out, int64(a.Alive-last.Alive))
		last = a
	}
	return out, nil
}

// UnmarshalBinary restores it.
func (w *week) UnmarshalBinary(b []byte) error {
	*w = nil
	last := aliveAt{}
	for len(b) > 0 {
		minutes, n := binary.Varint(b)
		more, m := binary.Varint(b[max(n, 0):])
		if n <= 0 || m <= 0 {
			return errCutShort
		}
		last = aliveAt{last.At.Add(minutes * minute), last.Alive + int32(more)}
		*w, b = append(*w, last), b[n+m:]
	}
	return nil
}

var errCutShort = errors.New("a week of counts is cut short")

const (
	day        = 24 * 3600_000 // milliseconds
	minute     = 60_000
	daysBefore = 7            // that are remembered
	nightEarly = 3600_000     // milliseconds by which one may fall earlier than others
	nightLasts = 5 * 3600_000 // and the least for which it lasts
)

// noteAlive takes in how many answer at the end of a full round, be it that all is well or not; but not while none do.
func (b *block) noteAlive(at probe.Instant, alive, gap int64) {
	if b.State == Total || b.State == Unknown {
		return
	}
	now := aliveAt{at - at%minute, int32(alive)}
	if n := len(b.Nights); n > 0 && b.Nights[n-1].At.Add(atOnce) > at {
		b.Nights[n-1].Alive = max(b.Nights[n-1].Alive, now.Alive)
		return
	}
	oldest := at.Add(-(daysBefore+1)*day - 2*atOnce - gap)
	first, _ := slices.BinarySearchFunc(b.Nights, oldest, func(a aliveAt, t probe.Instant) int { return cmp.Compare(a.At, t) })
	b.Nights = append(slices.Delete(b.Nights, 0, first), now)
}

// asEveryNight reports whether a block sleeps: about as few answered in the hours after a fall, at this time of the day, on half of the days of
// the last week at least, in nights, and that is less than usual by day. A blackout that comes at the same hours every day is over sooner than
// a night or, where rounds tell, at once, and who sleeps does not leave within half an hour of all others.
func (d *Detector) asEveryNight(b *block, fell Interval, now probe.Instant) bool {
	from, to := max(fell.Latest.Add(nightEarly), now), max(fell.Latest.Add(nightLasts), now)
	var nights []int64
	for k := int64(1); k <= daysBefore; k++ {
		from, to := from.Add(-k*day), to.Add(-k*day)
		if n := b.mostAlive(from, to, d.MedianGap); n >= 0 && !d.noNight(b, n, from, to) {
			nights = append(nights, n)
		}
	}
	looked := max(d.MedianGap, int64(fell.Latest-fell.Earliest)) <= atOnce // else it is not known who left with whom
	if len(nights) == 0 || looked && d.leftTogether(b, now) >= plainFall {
		return false
	}
	slices.Sort(nights)
	usual, alive := nights[len(nights)/2], d.alive(b, now)
	byDay := b.mostAlive(now.Add(-day), now, d.MedianGap)
	return usual*million <= byDay*lessThanUsual && (10*alive >= 9*usual || d.byChance(b, (usual-alive)*million))
}

// noNight reports whether some hours, in which so few answered at most, tell nothing of nights, for no day came before them or after them, as in
// an outage of several days, or all were back at one moment when they were over, as after a blackout: who sleeps wakes in his own time. Rounds
// more than an hour apart do not tell that.
func (d *Detector) noNight(b *block, few int64, from, to probe.Instant) bool {
	byDay, next := b.mostAlive(from.Add(-day), from, 0), b.mostAlive(to, to.Add(day), 0)
	if b.Nights[0].At > from.Add(-day/2) { // a record that begins by night does not tell of the day before
		byDay = -1
	}
	asFew := func(n int64) bool { return n >= 0 && few*million > n*lessThanUsual }
	switch {
	case few*million > max(byDay, next)*lessThanUsual:
		return false // all was well
	case asFew(byDay) || asFew(next):
		return true
	}
	var asleep probe.Instant // the last moment at which nearly all of those that had left were away
	for _, a := range b.Nights {
		n := int64(a.Alive) - few
		switch {
		case a.At < from:
		case 5*n <= next-few:
			asleep = a.At
		case 5*n >= 4*(next-few) && asleep != 0 && a.At > to:
			return d.MedianGap <= tellsHours && 2*int64(a.At-asleep) <= 3*max(d.MedianGap, atOnce)
		}
	}
	return false
}

// mostAlive is the most addresses that answered between two moments, or in the round next to the first; -1 where nobody looked.
func (b *block) mostAlive(from, to probe.Instant, gap int64) int64 {
	most, next, nearest := int64(-1), int64(-1), max(gap, atOnce)/2+1
	for _, a := range b.Nights {
		if off := apart(a.At, from); off < nearest {
			nearest, next = off, int64(a.Alive)
		}
		if from <= a.At && a.At <= to {
			most = max(most, int64(a.Alive))
		}
	}
	return max(most, next)
}

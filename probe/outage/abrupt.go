package outage

import (
	"cmp"
	"math"
	"net/netip"
	"slices"

	"brownout/probe"
)

// An outage is abrupt. Networks whose hosts are switched off in the evening lose most of them every night, within hours;
// what falls that slowly is how the network is, and is learned.

// abrupt reports whether a block's level fell by a fifth within a few rounds around a moment, and whether so many left together
// or, by loss that all suffer alike, come and go. The level of this moment counts where no full round has ended since; but not
// where it had been falling for hours by half as much, for then a moment's loss would make the fall look abrupt.
func (d *Detector) abrupt(b *block, is *suspicion, now probe.Instant) bool {
	t, around := is.start.At, 5*d.turn(b, now)/2
	var before, after, highest, rounds int64
	var last rateAt // before it
	for _, r := range b.Rates {
		switch {
		case r.At > t && r.At <= t.Add(around):
			if rounds++; rounds == 1 || r.Rate < after {
				after = r.Rate
			}
			continue
		case r.At > t:
			continue
		case r.At >= t.Add(-around):
			before = max(before, r.Rate)
		}
		highest, last = max(highest, r.Rate), r
	}
	if before == 0 && last.At >= t.Add(-longestGap) { // it fell while nobody looked
		for _, r := range b.Rates {
			if r.At <= last.At && r.At >= last.At.Add(-around) {
				before = max(before, r.Rate)
			}
		}
	}
	if rounds == 0 {
		after = d.level(b)
		if 10*before < 9*highest && before-after < 2*(highest-before) {
			return false
		}
	}
	if before-after < abruptFall+3*d.flutter(b, now)/2 { // the highest of some rounds and the lowest of others lie so far apart by chance
		return false
	}
	return d.leftTogether(b, now) >= abruptFall || is.cause == causeLoss && d.flickers(b, t, now) >= abruptFall/2 || d.noEvening(b, now)
}

// noEvening reports whether other days show that a block's fall is none of an evening's, though its hosts seem to have left one after the
// other, as in rounds that the onset cuts in two: of as many as answered in this hour or in any of the next three, as if the evening
// had come early, three in ten fewer do, by so many hosts that chance did not do it. Who leaves early on a day, as before a holiday, leaves
// over hours all the same.
func (d *Detector) noEvening(b *block, now probe.Instant) bool {
	const early = 3 // hours
	least, later := b.Hours[hourOf(now)], 0
	if !least.known() {
		return false
	}
	for i := 1; i <= early; i++ {
		if h := &b.Hours[(hourOf(now)+i)%24]; h.known() {
			later, least.Alive = later+1, min(least.Alive, h.Alive)
		}
	}
	alive := d.alive(b, EndOfTime) * million
	return later > 0 && d.fellInTwo(b) && alive <= least.Alive/million*sunkShare && d.beyondChance(b, least.Alive-alive)
}

// fellInTwo reports whether three quarters of what a block's level has lost in some hours it lost from one round to the next but one, before
// the latest. Rounds more than an hour apart do not tell.
func (d *Detector) fellInTwo(b *block) bool {
	around, n := hoursAround(d.MedianGap), len(b.Rates)
	for i := n - 4; i >= 0 && b.Rates[i].At >= b.Rates[n-1].At.Add(-around-2*d.MedianGap); i-- {
		top := int64(0)
		for _, r := range b.Rates[:i+1] {
			if r.At >= b.Rates[i].At.Add(-around) {
				top = max(top, r.Rate)
			}
		}
		if 4*(b.Rates[i].Rate-b.Rates[i+2].Rate) >= 3*(top-b.Rates[n-1].Rate) {
			return true
		}
	}
	return d.MedianGap > tellsHours
}

// beyondChance reports whether more addresses are missing, in millionths, than come and go: by so many standard deviations of how many
// answer that no hour of a year brings them.
func (d *Detector) beyondChance(b *block, missing int64) bool {
	chance := d.variance(b, func(h *host) int64 { return h.AllDay })
	return float64(missing) >= float64(sunkLeast*math.Sqrt(float64(chance)*million))
}

const (
	abruptFall = 200_000      // millionths of a block's level that are lost in an abrupt fall
	plainFall  = 350_000      // the same, where nobody waits to see whether more leave
	atOnce     = 30 * 60_000  // milliseconds: who left so shortly after each other may have left together
	evening    = 3 * 3600_000 // milliseconds around that in which others show how many leave anyway, or three rounds
	mostTried  = 64           // moments
	tellsHours = 3600_000     // milliseconds from round to round, at most, that tell who takes hours from who takes a moment
	longestGap = day          // milliseconds, to the midst of a gap: after a longer one, nobody knows how it should be
)

// leftTogether is the most hosts that left at one moment, of those that have of late, in millionths of those expected on the
// average of a day: beyond twice as many as leave anyway in the hours around it. Of fewer than plainFall it is known after a
// round, for they may be the first of many.
func (d *Detector) leftTogether(b *block, now probe.Instant) (most int64) {
	var left []*host
	expected := int64(0)
	for _, h := range d.hostsOf(b) {
		if h.AllDay == 0 {
			continue
		}
		expected += h.AllDay
		if h.Since != 0 && !h.Answers {
			left = append(left, h)
		}
	}
	slices.SortStableFunc(left, func(a, b *host) int { return cmp.Compare(a.Since, b.Since) })
	for k := 0; k < len(left); k += 1 + len(left)/mostTried {
		fall := d.leftAt(left, left[k].Since, now) * 1000 / max(expected/1000, 1)
		if fall >= plainFall || now >= left[k].Since.Add(d.MedianGap) {
			most = max(most, fall)
		}
	}
	return most
}

// flickers is how many hosts have come back from a silence since a moment, beyond those that do anyway, in millionths of those
// expected on the average of a day. Of who goes to bed none does. leftTogether sees loss only where it lasts for a round:
// between rounds, core passes find who comes and goes before that.
func (d *Detector) flickers(b *block, t, now probe.Instant) int64 {
	rounds := int64(now-t)/d.MedianGap + 1
	back, expected := int64(0), int64(0)
	for _, h := range d.hostsOf(b) {
		if h.AllDay == 0 {
			continue
		}
		expected += h.AllDay
		if h.Answers && h.Back.At > t {
			back += max(million-(million-h.Expected)*rounds, 0)
		}
	}
	return back * 1000 / max(expected/1000, 1)
}

// leftAt is how many hosts, in millionths, may have left at a moment, beyond twice as many as leave anyway.
func (d *Detector) leftAt(left []*host, t, now probe.Instant) int64 {
	widened := max(0, (atOnce-d.MedianGap)/2)
	around := hoursAround(d.MedianGap)
	then, others := int64(0), int64(0)
	for _, h := range left {
		switch {
		case h.Lived.Add(-widened) < t && t <= h.Since.Add(widened):
			then++
		case h.Since >= t.Add(-around) && h.Since <= t.Add(around):
			others++
		}
	}
	return then*million - 2*leaveAnyway(others*million, d.MedianGap, int64(now-t))
}

// hoursAround is how long before and after a moment others show how many leave anyway, in milliseconds.
func hoursAround(gap int64) int64 { return max(evening, 3*gap) }

// leaveAnyway is how many hosts leave at any one moment, in millionths, where so many others have in the hours around it, so many
// milliseconds later.
func leaveAnyway(others, gap, ago int64) int64 {
	moment, around := max(atOnce, gap), hoursAround(gap)
	return others / 1000 * (million * moment / (around + min(around, ago) - moment)) / 1000
}

// level is the addresses that answer, in millionths of those that are expected on the average of a day: a measure that does
// not move by itself.
func (d *Detector) level(b *block) int64 {
	answering, expected := int64(0), int64(0)
	for _, h := range d.hostsOf(b) {
		if h.AllDay == 0 {
			continue
		}
		expected += h.AllDay
		if h.Answers {
			answering += million
		}
	}
	return answering * 1000 / max(expected/1000, 1)
}

// turn is how long it takes, in milliseconds, until those that are expected of a block have been asked: a round or, where rounds ask some
// and then others, as many as nine in ten of them take, a dozen at most.
func (d *Detector) turn(b *block, now probe.Instant) int64 {
	type asked struct{ ago, expected int64 }
	if !d.asksInTurn(b, now) {
		return d.MedianGap
	}
	var list []asked
	all := int64(0)
	for _, h := range d.hostsOf(b) {
		if h.AllDay == 0 {
			continue
		}
		a := asked{int64(now - max(h.Lived, h.SilentAt)), h.AllDay}
		list, all = append(list, a), all+a.expected
	}
	slices.SortStableFunc(list, func(a, b asked) int { return cmp.Compare(a.ago, b.ago) })
	sum := int64(0)
	for _, a := range list {
		if sum += a.expected; 10*sum >= 9*all {
			return min(a.ago, 12*d.MedianGap)
		}
	}
	return d.MedianGap
}

// asksInTurn reports whether rounds ask some hosts of a block and then others: more than half of those that are expected were asked by none
// of late.
func (d *Detector) asksInTurn(b *block, now probe.Instant) bool {
	expected, late := int64(0), int64(0)
	for _, h := range d.hostsOf(b) {
		expected += h.AllDay
		if !d.askedOfLate(h, now) {
			late += h.AllDay
		}
	}
	return 2*late > expected
}

// askedOfLate reports whether a host was asked, and not in vain, in the last two rounds and a half.
func (d *Detector) askedOfLate(h *host, now probe.Instant) bool {
	return max(h.Lived, h.SilentAt) >= now.Add(-5*d.MedianGap/2)
}

// flutter is the standard deviation of a block's level by who answers now and who then, in millionths. Where rounds ask some hosts and
// others in turn, it is less: most have not been asked anew.
func (d *Detector) flutter(b *block, now probe.Instant) int64 {
	if d.asksInTurn(b, now) {
		return 0
	}
	expected := int64(0)
	for _, h := range d.hostsOf(b) {
		expected += h.AllDay
	}
	variance := d.variance(b, func(h *host) int64 { return h.AllDay })
	return int64(math.Sqrt(float64(variance)*million)) * 1000 / max(expected/1000, 1)
}

// leftAtOnce is the evidence, in micro-nats, of those hosts of a dark prefix that fell silent at one moment: the
// likeliest.
func (d *Detector) leftAtOnce(b *block, p netip.Prefix) (most int64) {
	var hosts []*host
	last := b.lastEnd()
	for i := range d.Hosts {
		if h := &d.Hosts[i]; h.Usual && h.Since > last && p.Contains(h.Addr) {
			hosts = append(hosts, h)
		}
	}
	around := hoursAround(d.MedianGap)
	for _, then := range hosts {
		sum, together, left := int64(0), 0, 0
		for _, h := range hosts {
			if h.Since >= then.Since.Add(-around) { // else it had been gone for long
				left++
			}
			if h.Lived < then.Since && then.Since <= h.Since {
				sum += min(h.Weight, mostOfHost)
				together++
			}
		}
		if 2*together >= left {
			most = max(most, sum)
		}
	}
	return most
}

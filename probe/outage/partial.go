package outage

import (
	"cmp"
	"net/netip"
	"slices"

	"brownout/probe"
)

// suspicion is the likeliest partial outage of a block that no dark prefix explains: loss that every probe suffers, or
// hosts that are gone.
type suspicion struct {
	odds     int64 // micro-nats against "up"
	cause    cause
	start    Interval
	fraction int64 // millionths: of life that is left
}

func (b *block) suspicion(gone *exodus) suspicion {
	fraction, odds := b.Loss.worst()
	lost := suspicion{odds, causeLoss, b.Loss.onset(fraction), fraction}
	if gone.Odds <= odds {
		return lost
	}
	left := suspicion{gone.Odds, causeGone, gone.Start, nearestFraction(million - gone.Share)}
	if odds >= certain { // it may be either, or both
		left.start = left.start.with(lost.start)
	}
	return left
}

// with is the interval with another's bounds where they are wider.
func (i Interval) with(other Interval) Interval {
	return Interval{Earliest: min(i.Earliest, other.Earliest), At: i.At, Latest: max(i.Latest, other.Latest)}
}

// tryPartial opens a partial outage where the evidence, a confirmation or later round included, is decisive after having
// been certain for as long as a total outage takes, and neither moving hosts, nor filtering, nor a rate limit explains it.
func (d *Detector) tryPartial(b *block, r *probe.Round, seen probe.Instant) {
	gone := d.exodus(b)
	is := b.suspicion(&gone)
	b.Lossy = ""
	if is.odds >= certain {
		b.Lossy, b.LossyBy = d.explainLoss(b)
	}
	if b.Lossy != "" && is.odds >= enough {
		b.Excused = cmp.Or(b.Excused, seen)
	}
	if is.odds >= certain && b.Lossy == "" && d.lessAlive(b, &is, seen) {
		b.LossAt = cmp.Or(b.LossAt, seen)
	} else {
		b.LossAt = 0
	}
	since, sunken := Interval{}, false
	if r.Kind == probe.Full {
		since, sunken = d.sink(b, seen)
	}
	dark := d.decidedDark(b, seen)
	switch {
	case d.mayHaveMoved(b, dark, &is, &gone, seen):
		return
	case len(dark) > 0:
		d.openDark(b, dark, seen)
		return
	case b.LossAt == 0 || is.odds < enough || int64(seen-b.LossAt) < d.longEnough() || d.falling(b, &is, r):
		if sunken && b.Lossy == "" && len(b.Filtered) == 0 {
			d.openSuspected(b, &suspicion{cause: causeSunken, start: since}, seen)
		}
		return
	}
	d.openSuspected(b, &is, seen)
}

// openSuspected opens a partial outage that no dark prefix explains.
func (d *Detector) openSuspected(b *block, is *suspicion, seen probe.Instant) {
	d.enter(b, Partial, d.afterLast(b, is.start), seen)
	b.Open.Cause, b.Open.Fraction = is.cause, is.fraction
	b.Loss.Back = nil // it can come back from now on
	d.opened(b, seen)
}

// dimSpace makes the space at least partial where it answers less than it should, and blocks that are partial by loss hold most of what
// is expected: each was found by the odds, and nothing explained it. Of a large space the loss test keeps seconds, in which a burst may make
// the loss seem to be of one protocol. Since when is when most of it was.
func (d *Detector) dimSpace(seen probe.Instant) {
	space := &d.Parts[0]
	if space.State != Up || space.Usual < usualForPartial || len(space.Filtered) > 0 || d.rateAtBest(space) > lessThanUsual || d.asMany(space) {
		return
	}
	parts := slices.DeleteFunc(d.openParts(space), func(part *block) bool {
		return part.State != Partial || part.Open.Cause != causeLoss || part.Open.Start.At <= space.lastEnd()
	})
	slices.SortStableFunc(parts, func(a, b *block) int { return cmp.Compare(a.Open.Start.At, b.Open.Start.At) })
	expected := int64(0)
	for _, part := range parts {
		if expected += part.Expected; 2*expected > space.Expected {
			d.openSuspected(space, &suspicion{cause: causeLoss, start: part.Open.Start, fraction: nearestFraction(d.rateAtBest(space))}, seen)
			return
		}
	}
}

// lessAlive reports whether a block answers less than it should, since it fell abruptly; not where a protocol is filtered.
func (d *Detector) lessAlive(b *block, is *suspicion, now probe.Instant) bool {
	return len(b.Filtered) == 0 && d.rateAtBest(b) <= lessThanUsual && !d.asMany(b) && d.abrupt(b, is, now) && !d.asEveryNight(b, is.start, now)
}

// rateAtBest is the response rate of a block, in millionths, or that without the hosts that were lit once it had been learned and have not
// lived for two days, if it is higher: who answers in its addresses for some hours, as a middlebox does, is not missed when that ends.
func (d *Detector) rateAtBest(b *block) int64 {
	answering, expected := int64(0), int64(0)
	for _, h := range d.hostsOf(b) {
		if h.Expected == 0 || h.New && h.Lived < h.First.Add(2*movedWithin) {
			continue
		}
		expected += h.Expected
		if h.Answers {
			answering += million
		}
	}
	return max(d.rate(b, nil), answering*1000/max(expected/1000, 1))
}

// asMany reports whether nine in ten answer of as many as should, whoever they are: where a pool's addresses are dealt anew every
// night, who left one has another.
func (d *Detector) asMany(b *block) bool {
	return 10*d.alive(b, EndOfTime)*million >= 9*b.Expected
}

// falling reports whether nothing has lived in a block since a suspicion's start: it may be total yet. A line between rounds that asked only
// who had been silent before it brings that no nearer.
func (d *Detector) falling(b *block, is *suspicion, r *probe.Round) bool {
	a := &d.Areas[b.Index]
	return a.Weight >= certain && a.Lived < is.start.Latest.Add(d.longEnough()) && (r.Kind == probe.Full || d.asksMore(b, r))
}

// asksMore reports whether a line asked hosts of a block that usually answer and were not silent before it.
func (d *Detector) asksMore(b *block, r *probe.Round) bool {
	return slices.ContainsFunc(d.usualIn(b), func(i int32) bool {
		h := &d.Hosts[i]
		return (h.Since == 0 || h.Since >= r.Start) && slices.ContainsFunc(r.Passes, func(p probe.Pass) bool {
			_, ok := p.Targets.Index(h.Addr)
			return ok
		})
	})
}

// mayHaveMoved reports whether it is too early to call hosts gone, for not every address has been asked since they were
// last seen, or whether they have moved: then what is new is usual from now on.
func (d *Detector) mayHaveMoved(b *block, dark []netip.Prefix, is *suspicion, gone *exodus, seen probe.Instant) bool {
	if len(dark) == 0 && (is.odds < enough || gone.Odds < certain) {
		return false
	}
	since := min(gone.Start.Latest, is.start.Latest) // of loss that goes on, some have always been silent for less than a round
	for _, p := range dark {
		since = max(since, d.Areas[d.areas[p]].First)
	}
	if int64(seen-since) < d.MedianGap {
		return true
	}
	left := d.leavers(b, since)
	lit := d.movedTo(b, left, since)
	if lit != nil {
		d.resettle(b, left, lit, since, seen)
		for _, part := range d.openParts(b) {
			if part.Usual == 0 && d.anyIn(part, left) { // all whom it misses have moved
				d.endPartAsMoved(part, lit, seen)
			}
		}
	}
	return lit != nil
}

// decidedDark is the prefixes of a block that are dark beyond doubt, for long enough, at once, and for no lesser reason. In the morning, too,
// their silence of a night in which the rest was as silent is no evidence: who sleeps longest is not dark. Nor is, where rounds are far apart,
// who goes to bed when the rest of the block does, as every night.
func (d *Detector) decidedDark(b *block, seen probe.Instant) []netip.Prefix {
	d.noteAsleep(b, seen)
	return slices.DeleteFunc(d.darkPrefixes(b, enoughOfBlock, enough), func(p netip.Prefix) bool {
		a := &d.Areas[d.areas[p]]
		together := d.isBlock(p) || d.leftAtOnce(b, p) >= enough
		asleep := d.asTheRest(b, p) || a.Asleep >= a.First && a.Weight-a.weightBefore(a.Asleep) < enough ||
			d.MedianGap > atOnce && !d.isBlock(p) && d.asEveryNight(b, a.start(), seen)
		return int64(seen-a.Sure) < d.longEnough() || !together || d.explainsDark(b, p) || asleep
	})
}

// noteAsleep notes of the silent prefixes of a block that much of the rest of it is silent too.
func (d *Detector) noteAsleep(b *block, seen probe.Instant) {
	for _, p := range d.darkPrefixes(b, certain, certain) {
		if d.isBlock(p) || 4*d.silentBeside(b, p) < million {
			continue
		}
		for i := len(d.Parts); i < len(d.Areas); i++ {
			if a := &d.Areas[i]; p.Overlaps(a.Prefix) && a.Prefix.Bits() >= p.Bits() {
				a.Asleep = seen
			}
		}
	}
}

// darkPrefixes is the largest prefixes inside a block with enough usual addresses, none of which has lived while the rest
// of the block has, for so long that the odds against that pass the given ones: of blocks of their own, and of the many
// prefixes inside them.
func (d *Detector) darkPrefixes(b *block, ofBlock, ofPrefix int64) []netip.Prefix {
	var out []netip.Prefix
	lived := d.Areas[b.Index].Lived
	for i := 1; i < len(d.Areas); i++ {
		a := &d.Areas[i]
		odds := ofPrefix
		if i < len(d.Parts) {
			odds = ofBlock
		}
		if int32(i) != b.Index && a.Usual >= usualForDark && a.Weight >= odds && b.inside(a.Prefix) && a.weightBefore(lived) >= odds {
			out = append(out, a.Prefix)
		}
	}
	return largest(out)
}

func (b *block) inside(p netip.Prefix) bool {
	return b.Index == 0 || p.Bits() > b.Prefix.Bits() && b.Prefix.Contains(p.Addr())
}

// largest keeps of prefixes those that are in no other.
func largest(list []netip.Prefix) []netip.Prefix {
	slices.SortFunc(list, func(a, b netip.Prefix) int { return a.Compare(b) })
	var out []netip.Prefix
	for _, p := range list {
		if n := len(out); n == 0 || !out[n-1].Contains(p.Addr()) {
			out = append(out, p)
		}
	}
	return out
}

// darkWithout reports whether a prefix is dark even if nothing is held against it that was sent by the filtered protocols.
func (d *Detector) darkWithout(p netip.Prefix, filtered []uint32) bool {
	usual, weight := 0, int64(0)
	for i := range d.Hosts {
		if h := &d.Hosts[i]; p.Contains(h.Addr) && d.expectedWithout(h, filtered) >= million/2 {
			usual++
		}
	}
	for _, s := range d.Areas[d.areas[p]].Run {
		if !slices.Contains(filtered, s.Code) {
			weight += s.Weight
		}
	}
	return usual >= usualForDark && weight >= enough
}

// isBlock reports whether a prefix is a block of its own.
func (d *Detector) isBlock(p netip.Prefix) bool {
	i, ok := d.areas[p]
	return ok && int(i) < len(d.Parts)
}

// nearestFraction is the alternative of the loss test that is next to a fraction.
func nearestFraction(f int64) int64 {
	return slices.MinFunc(fractions[:], func(a, b int64) int { return cmp.Compare(max(a-f, f-a), max(b-f, f-b)) })
}

func (d *Detector) openDark(b *block, dark []netip.Prefix, seen probe.Instant) {
	first := &d.Areas[d.areas[dark[0]]]
	for _, p := range dark {
		if a := &d.Areas[d.areas[p]]; a.First < first.First {
			first = a
		}
	}
	start := first.start()
	if part := d.areas[dark[0]]; first.Sure == 0 && int(part) < len(d.Parts) && d.Parts[part].State == Total {
		start = d.Parts[part].Open.lastPhase().Start // its run is over: who lives now may have been asked late in a round
	}
	d.enter(b, Partial, d.afterLast(b, start), seen)
	b.Open.Cause, b.Open.Dark, b.Open.Watched = causeDark, dark, dark
	for i := range d.Hosts {
		h := &d.Hosts[i]
		if inAny(dark, h.Addr) {
			d.forgetAnswers(h)
		}
	}
	d.opened(b, seen)
}

func (d *Detector) opened(b *block, seen probe.Instant) {
	d.measure(b, seen)
	d.publish(b)
	d.move(b, Partial, b.Open.Start.At, seen, "")
}

// asTheRest reports whether a small prefix may be dark because so many hosts of its block are silent now anyway: of those
// that answer as much of a day as its own.
func (d *Detector) asTheRest(b *block, p netip.Prefix) bool {
	return !d.isBlock(p) && int64(d.Areas[d.areas[p]].Usual)*weight(d.silentBeside(b, p)) < enough
}

// silentBeside is the share, in millionths, that is silent now of the hosts of a block outside a prefix, of those that answer as much of a
// day as its own.
func (d *Detector) silentBeside(b *block, p netip.Prefix) int64 {
	const alike, least = 100_000, 10
	lowest := int64(million)
	for i := range d.Hosts {
		if h := &d.Hosts[i]; h.Usual && p.Contains(h.Addr) {
			lowest = min(lowest, h.AllDay)
		}
	}
	floor := lowest - alike // of a day
	if d.peers(b, p, floor) < least {
		floor = 0
	}
	expected, answering := int64(0), int64(0)
	for _, h := range d.hostsOf(b) {
		if h.Usual && !p.Contains(h.Addr) && h.AllDay >= floor {
			expected += h.AllDay
			if h.Answers {
				answering += million
			}
		}
	}
	if expected == 0 {
		return leastSilence
	}
	return max(million-answering*1000/max(expected/1000, 1), leastSilence)
}

// peers is how many usual hosts of a block outside a prefix answer at least so much of a day.
func (d *Detector) peers(b *block, p netip.Prefix, least int64) (n int) {
	for _, h := range d.hostsOf(b) {
		if h.Usual && !p.Contains(h.Addr) && h.AllDay >= least {
			n++
		}
	}
	return n
}

package outage

import (
	"cmp"
	"slices"

	"brownout/probe"
)

// exodus is a share of a block's hosts that went silent at one moment and has been so since.
type exodus struct {
	Odds  int64 // micro-nats against "up"
	Share int64 // millionths of the hosts
	Start Interval
}

// shares are the alternatives, in millionths of the hosts.
var shares = [...]int64{200_000, 300_000, 450_000, 600_000, 800_000, 950_000}

// mostOfHost bounds what one host's silence counts: beyond it, it is the host's own.
var mostOfHost = certain

// exodus weighs "up" against "a share of the hosts is gone since some moment": every host is either gone, and its
// silence since is certain, or it is as ever. Unlike loss, which every probe suffers alike, it grows with each round in
// which the same hosts stay silent, and those that live count against it once. The moment is the likeliest one: it lies
// after the last life and not after the first silence of each host that is gone. Hosts are judged by the protocols that
// are not left out, if they have any.
func (d *Detector) exodus(b *block, leftOut ...uint32) (best exodus) {
	moments := d.silentSince(b)
	sums := make([][len(shares)]int64, len(moments)+1) // what each moment's has beyond the one before
	add := func(from, to int, w int64) {
		if w == 0 || from >= to {
			return
		}
		for k, share := range shares {
			odds := mixed(share, w)
			sums[from][k] += odds
			sums[to][k] -= odds
		}
	}
	for _, h := range d.hostsOf(b) {
		if h.Expected == 0 {
			continue
		}
		if len(leftOut) > 0 {
			if d.expectedWithout(h, leftOut) < million/2 {
				continue
			}
			if d.answersBy(h, leftOut) {
				add(0, len(moments), alive)
				continue
			}
		}
		lived := upTo(moments, h.Lived)
		add(0, lived, alive)
		add(lived, upTo(moments, h.Since), h.gone())
	}
	for i, since := range moments {
		for k := range shares {
			if i > 0 {
				sums[i][k] += sums[i-1][k]
			}
			if sum := sums[i][k]; sum > best.Odds {
				best = exodus{Odds: sum, Share: shares[k], Start: Interval{At: since}}
			}
		}
	}
	if best.Odds > 0 {
		d.bound(b, &best)
	}
	return best
}

// upTo is how many moments are not after t.
func upTo(moments []probe.Instant, t probe.Instant) int {
	n, found := slices.BinarySearch(moments, t)
	if found {
		n++
	}
	return n
}

// silentSince is the moments, of late, at which hosts of a block fell silent, since its last outage: who was silenced by that, and is
// still, was not missed when it ended.
func (d *Detector) silentSince(b *block) []probe.Instant {
	const rounds = 12
	var out []probe.Instant
	for _, h := range d.hostsOf(b) {
		if h.Expected > 0 && h.Since > b.lastEnd() && h.Since >= d.Covered.Add(-rounds*d.MedianGap) {
			out = append(out, h.Since)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// gone is what speaks, in micro-nats, for a host's being gone since a moment after its last life and not after its first silence.
func (h *host) gone() int64 { return min(h.Weight, mostOfHost) }

// alive stands for that of a host that lived.
const alive = -1

// mixed is the odds of a host of which a share is gone: ln(1 - share + share * e^w), micro-nats; of a live one ln(1 - share).
func mixed(share, w int64) int64 {
	if w == alive {
		return -weight(million - share)
	}
	return w - weight(share+(million-share)*decay(w, microLn2)/million)
}

// bound bounds since when hosts are gone.
func (d *Detector) bound(b *block, x *exodus) {
	since := x.Start.At
	var gone []*host
	for _, h := range d.hostsOf(b) {
		if h.Expected > 0 && h.Lived < since && since <= h.Since && h.gone() > 0 {
			gone = append(gone, h)
		}
	}
	slices.SortStableFunc(gone, func(a, b *host) int { return cmp.Compare(a.Since, b.Since) })
	x.Start = Interval{Latest: since}
	sum := int64(0)
	for _, h := range gone {
		x.Start.Earliest = max(x.Start.Earliest, h.Lived)
		if sum < bounded {
			x.Start.Latest = max(x.Start.Latest, h.silentBy())
		}
		sum += weight(max(million-h.Expected, leastSilence))
	}
	if x.Start.Earliest == 0 {
		x.Start.Earliest = since
	}
	if len(gone) > 0 {
		since = max(since, gone[0].silentBy())
	}
	x.Start.At = x.Start.Earliest + (since-x.Start.Earliest)/2
}

// silentBy is when a host's first silence was sent or, where nobody tells when in its round, by when.
func (h *host) silentBy() probe.Instant {
	if h.SinceBy > h.Since.Add(probe.PlanTolerance.Milliseconds()) {
		return h.SinceBy
	}
	return h.Since
}

package outage

import (
	"net/netip"

	"brownout/probe"
)

// An outage is abrupt. Networks whose hosts are switched off in the evening lose most of them every night, within hours;
// what falls that slowly is how the network is, and is learned.

// abrupt reports whether a block's level fell by a fifth within a few rounds around a moment. The level of
// this moment counts where no full round has ended since; but not where it had been falling for hours, for then a
// moment's loss would make the fall look abrupt.
func (d *Detector) abrupt(b *block, t probe.Instant) bool {
	var before, after, highest, rounds int64
	for _, r := range b.Rates {
		switch {
		case r.At > t && r.At <= t.Add(5*d.MedianGap/2):
			if rounds++; rounds == 1 || r.Rate < after {
				after = r.Rate
			}
			continue
		case r.At > t:
			continue
		case r.At >= t.Add(-5*d.MedianGap/2):
			before = max(before, r.Rate)
		}
		highest = max(highest, r.Rate)
	}
	if rounds == 0 {
		if 10*before < 9*highest {
			return false
		}
		after = d.level(b)
	}
	return before-after >= abruptFall && d.leftTogether(b) >= abruptFall
}

// abruptFall is how much of a block's level, in millionths, is lost in an abrupt fall.
const abruptFall = 200_000

// leftTogether is the most hosts that may have fallen silent at one moment, of those that have of late, in millionths of
// those expected on the average of a day. Of rounds in quick succession the moment is half an hour.
func (d *Detector) leftTogether(b *block) (most int64) {
	const moment = 30 * 60_000 // milliseconds
	widened := max(0, (moment-d.MedianGap)/2)
	var left []*host
	expected := int64(0)
	for i := range d.Hosts {
		h := &d.Hosts[i]
		if !b.holds(h) || h.AllDay == 0 {
			continue
		}
		expected += h.AllDay
		if h.Since != 0 && !h.Answers {
			left = append(left, h)
		}
	}
	for _, then := range left {
		together := int64(0)
		for _, h := range left {
			if h.Lived.Add(-widened) < then.Since && then.Since <= h.Since.Add(widened) {
				together += million
			}
		}
		most = max(most, together)
	}
	return most * 1000 / max(expected/1000, 1)
}

// level is the addresses that answer, in millionths of those that are expected on the average of a day: a measure that does
// not move by itself.
func (d *Detector) level(b *block) int64 {
	answering, expected := int64(0), int64(0)
	for i := range d.Hosts {
		h := &d.Hosts[i]
		if !b.holds(h) || h.AllDay == 0 {
			continue
		}
		expected += h.AllDay
		if h.Answers {
			answering += million
		}
	}
	return answering * 1000 / max(expected/1000, 1)
}

// leftAtOnce is the evidence, in micro-nats, of those hosts of a dark prefix that fell silent at one moment: the
// likeliest.
func (d *Detector) leftAtOnce(p netip.Prefix) (most int64) {
	var hosts []*host
	for i := range d.Hosts {
		if h := &d.Hosts[i]; h.Usual && h.Since != 0 && p.Contains(h.Addr) {
			hosts = append(hosts, h)
		}
	}
	for _, then := range hosts {
		sum := int64(0)
		for _, h := range hosts {
			if h.Lived < then.Since && then.Since <= h.Since {
				sum += min(h.Weight, mostOfHost)
			}
		}
		most = max(most, sum)
	}
	return most
}

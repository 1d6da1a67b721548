package outage

import (
	"math"
	"sort"
)

// power is what a block's learned responders let be detected: worked out when it is asked for, once a round.
func (d *Detector) power(b *block) Power {
	if b.power == (Power{}) {
		b.power = d.powerNow(b)
	}
	return b.power
}

// powerNow computes it by the tests that judge the block, of what is not filtered.
func (d *Detector) powerNow(b *block) Power {
	p := Power{SmallestDrop: 10_000}
	if !b.Observable || d.LearnedGap == 0 {
		return p
	}
	first, more, usual := int64(0), int64(0), 0
	var hosts []powerOf
	for _, h := range d.hostsOf(b) {
		expected, isUsual := d.unfiltered(b, h)
		if expected == 0 {
			continue
		}
		if isUsual {
			usual++
		}
		w, again := weight(max(million-expected, leastSilence)), d.repeatWeight(h)
		first, more = first+w, more+again
		hosts = append(hosts, powerOf{expected: expected, silent: min(w+again, mostOfHost)})
	}
	if len(hosts) == 0 {
		return p
	}
	p.TotalAfter = Seconds(max(d.totalAfter(first, more), d.askingTakes(usual)) / 1000)
	if usual < usualForPartial {
		return p
	}
	const least, most = 20, 100 // per cent
	percent := least + sort.Search(most-least, func(i int) bool { return seen(hosts, int64(least+i)*10_000, d.LearnedGap) })
	if percent < most {
		p.SmallestDrop = Decimal(percent * 100)
		p.PartialAfter = Seconds((2*d.LearnedGap + longEnough(d.LearnedGap) + d.LearnedTimeout) / 1000)
	}
	return p
}

// unfiltered is what is expected of a host by the protocols that are not filtered, and whether it usually answers by them.
func (d *Detector) unfiltered(b *block, h *host) (expected int64, usual bool) {
	if len(b.Filtered) == 0 {
		return h.Expected, h.Usual
	}
	expected = d.expectedWithout(h, b.Filtered)
	return expected, expected >= million/2
}

// totalAfter is how long, in milliseconds, it takes until silence is decisive, where the first round of it weighs so much
// and every further one so much more.
func (d *Detector) totalAfter(first, more int64) int64 {
	if first >= decisive {
		return max(longEnough(d.LearnedGap), decisive*d.LearnedGap/first) + d.LearnedTimeout
	}
	rounds := 1 + (decisive-first+more-1)/max(more, 1)
	return rounds*d.LearnedGap + d.LearnedTimeout
}

// askingTakes is how long, in milliseconds, a round takes to ask so many usual addresses that none is thought to answer.
func (d *Detector) askingTakes(usual int) int64 {
	return d.LearnedGap*askedEnough/max(int64(usual), askedEnough) + d.LearnedTimeout
}

// powerOf is a host: its expectation, and what two rounds of its silence weigh.
type powerOf struct{ expected, silent int64 }

// seen reports whether a share of the hosts that goes silent would almost surely (99 %) be found within two rounds: the
// odds, and the response rate, by their mean and variance over which hosts it is and who answers anyway, though as many as leave
// by chance cannot be told from them.
func seen(hosts []powerOf, share, gap int64) bool {
	const sigmas = 2.33
	nearest := shares[0]
	for _, s := range shares {
		if s <= share {
			nearest = s
		}
	}
	g := float64(share) / million
	var mean, variance, answering, spread, all, silent float64
	for _, h := range hosts {
		a := float64(h.expected) / million
		gone, lives := float64(mixed(nearest, h.silent)), float64(mixed(nearest, alive))
		mean += float64(a * (float64(g*gone) + float64((1-g)*lives)))
		variance += float64(float64(a*g*(1-g)) * float64((gone-lives)*(gone-lives)))
		answering += float64(a * (1 - g))
		spread += float64(a*(1-a)) + float64(float64(a*g*(1-g))/4)
		all += a
		silent += min(a, 1-a) // who seldom answers has mostly been silent for long
	}
	anyway := float64(leaveAnyway(int64(silent*million), gap, 2*gap)) / million
	return mean-float64(sigmas*math.Sqrt(variance)) >= float64(enough) &&
		answering+float64(sigmas*math.Sqrt(spread))+anyway <= float64(0.8*all)
}

package main

import (
	"math"
	"slices"
)

// thunderPing is Padmanabhan et al., "How to Find Correlated Internet Failures", PAM 2019, on ThunderPing's pings (ZeusPing
// applies it too): if so many of the N addresses that answered the last round are silent in this one that, dropping out
// each for itself with the usual probability p, they would be so by less than 1 in 10,000, they failed together. p is
// that of the last seven days. It asks for N p (1-p) >= 10, which no space of 34 hosts can reach: at its published
// setting it is silent here, and tuned that is waived. The method dates onsets only; the end is when half of the
// addresses that dropped out have answered again.
//
// Published: 10^-4. Knob: the exponent.
func thunderPing() peer {
	return peer{
		name: "ThunderPing", unit: "(-log10 p)", published: setting{level: 4, inRow: 1, published: true},
		levels: steps(2, 16, 29), inRow: []int{1}, judge: judgeThunderPing,
	}
}

func judgeThunderPing(y *year, at setting) judgement {
	e := episodes{inRow: 1}
	d := dropouts{unlikely: math.Pow(10, -at.level), strict: at.published}
	for s := range y.whole() {
		low, over := d.put(s)
		e.put(glanceAt(s, low, over))
	}
	return judgement{e.verdicts(), y.fullProbes}
}

// dropouts is who answered, and who ceased to.
type dropouts struct {
	unlikely float64
	strict   bool // whether the space must be large enough
	before   []uint16
	missing  []uint16 // dropped out together, and have not answered since
	together int      // how many they were
	usual    rates
}

// put reports whether addresses failed together in a round, and whether those that did are back.
func (d *dropouts) put(s *sweep) (low, over bool) {
	gone := without(d.before, s.answered)
	n, p := len(d.before), d.usual.rate()
	known := d.usual.full(s)
	low = known && d.unlikelyMany(len(gone), n, p)
	d.missing = without(d.missing, s.answered)
	if low {
		d.missing = append(d.missing, gone...)
		slices.Sort(d.missing)
		d.missing = slices.Compact(d.missing)
		d.together = max(d.together, len(d.missing))
	} else {
		d.usual.put(s, len(gone), n) // what failed together says nothing of the usual
	}
	d.before = s.answered
	if over = !low && 2*len(d.missing) <= d.together; over {
		d.missing, d.together = nil, 0
	}
	return low, over
}

func (d *dropouts) unlikelyMany(gone, n int, p float64) bool {
	if d.strict && float64(n)*p*(1-p) < 10 {
		return false
	}
	return float64(gone) > float64(n)*p && binomialFrom(gone, n, p) < d.unlikely
}

// rates is the share of addresses that drop out from one round to the next, over seven days.
type rates struct {
	entries []struct {
		s       *sweep
		gone, n int
	}
	gone, n int
	since   *sweep
}

func (r *rates) put(s *sweep, gone, n int) {
	if r.since == nil {
		r.since = s
	}
	r.entries = append(r.entries, struct {
		s       *sweep
		gone, n int
	}{s, gone, n})
	r.gone, r.n = r.gone+gone, r.n+n
	for r.entries[0].s.start <= s.start-week {
		r.gone, r.n = r.gone-r.entries[0].gone, r.n-r.entries[0].n
		r.entries = r.entries[1:]
	}
}

func (r *rates) full(s *sweep) bool { return r.since != nil && s.start-r.since.start >= week }

func (r *rates) rate() float64 { return float64(r.gone) / max(float64(r.n), 1) }

// without is the elements of an ascending list that are not in another.
func without(list, other []uint16) []uint16 {
	var out []uint16
	for _, v := range list {
		for len(other) > 0 && other[0] < v {
			other = other[1:]
		}
		if len(other) == 0 || other[0] != v {
			out = append(out, v)
		}
	}
	return out
}

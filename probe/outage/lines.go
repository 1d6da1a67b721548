package outage

import (
	"slices"

	"brownout/probe"
)

// asked is whom a vantage asked by a protocol in the full round under way, where its lines tell that one by one.
type asked struct {
	Vantage string
	Code    uint32
	All     bool     // the whole space
	Targets []uint64 // else a bit each, by their index in the space
}

// longestStaggered is how long after a round's first line, in milliseconds, another that starts later may belong to it.
const longestStaggered = 600_000

// goesOn reports whether a full line is another one of the round under way. Lines of one start are, of other protocols, say. So are those
// that start one after the other, as each vantage and each prefix has its own time, as long as nobody is asked again: how often that
// happens is how long a round is, however close to each other its lines are.
func (d *Detector) goesOn(r *probe.Round) bool {
	n := len(d.Starts)
	if n == 0 {
		return false
	}
	first := d.Starts[n-1]
	switch {
	case r.Start == first:
		return true
	case len(d.Asked) == 0 || r.Start >= first.Add(longestStaggered) || d.gapBetween(first, r.Start):
		return false
	}
	return !slices.ContainsFunc(r.Passes, func(p probe.Pass) bool { return d.asksAgain(r.Vantage, &p) })
}

// asksAgain reports whether a line's vantage has asked one of a pass's targets in the round under way.
func (d *Detector) asksAgain(vantage string, p *probe.Pass) bool {
	k := d.askedBy(vantage, p.Protocol.Code())
	if k < 0 {
		return false
	}
	a := &d.Asked[k]
	if a.All || p.Targets.Equal(d.space) {
		return true
	}
	again := false
	d.eachTarget(p, func(i int) { again = again || a.Targets[i/64]>>(i%64)&1 != 0 })
	return again
}

// noteAsked notes whom a full line asks.
func (d *Detector) noteAsked(r *probe.Round) {
	for i := range r.Passes {
		p := &r.Passes[i]
		k := d.askedBy(r.Vantage, p.Protocol.Code())
		if k < 0 {
			k = len(d.Asked)
			d.Asked = append(d.Asked, asked{Vantage: r.Vantage, Code: p.Protocol.Code()})
		}
		a := &d.Asked[k]
		switch {
		case a.All:
			continue
		case p.Targets.Equal(d.space):
			a.All, a.Targets = true, nil
			continue
		case a.Targets == nil:
			a.Targets = make([]uint64, (d.space.Len()+63)/64)
		}
		d.eachTarget(p, func(i int) { a.Targets[i/64] |= 1 << (i % 64) })
	}
}

func (d *Detector) askedBy(vantage string, code uint32) int {
	return slices.IndexFunc(d.Asked, func(a asked) bool { return a.Vantage == vantage && a.Code == code })
}

// eachTarget calls f with the index in the space of each of a pass's targets.
func (d *Detector) eachTarget(p *probe.Pass, f func(int)) {
	for _, prefix := range p.Targets.Prefixes() {
		first, ok := d.space.Index(prefix.Addr())
		if !ok {
			continue
		}
		for i := range 1 << (prefix.Addr().BitLen() - prefix.Bits()) {
			f(first + i)
		}
	}
}

// roundOf is the start of the full round that a line belongs to.
func (d *Detector) roundOf(r *probe.Round) probe.Instant {
	n, found := slices.BinarySearch(d.Starts, r.Start)
	if found || n == 0 {
		return r.Start
	}
	return d.Starts[n-1]
}

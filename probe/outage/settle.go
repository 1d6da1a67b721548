package outage

import (
	"cmp"
	"net/netip"
	"slices"

	"brownout/probe"
)

// settle decides, at the end of a line, what a block's silences were.
func (d *Detector) settle(b *block, r *probe.Round, seen probe.Instant) {
	d.weigh(seen + 1) // all of the line has been seen
	if dark := d.darkProtocols(b); !slices.Equal(dark, b.Filtered) {
		b.Filtered, b.power = dark, Power{}
	}
	if slices.ContainsFunc(b.Filtered, func(code uint32) bool { return b.byProtocol(code).Weight >= enough }) {
		b.Excused = cmp.Or(b.Excused, seen)
	}
	switch {
	case b.Open != nil:
		d.doubtTotal(b, r, seen)
		d.measure(b, seen)
		d.darkToo(b, r, seen)
		d.tryClose(b, seen)
		if b.Open != nil && r.Kind == probe.Full {
			d.outlast(b, seen)
		}
	case b.State == Up && b.Usual >= usualForPartial && (r.Kind == probe.Full || b.Suspect != 0 && r.Start >= b.Suspect):
		d.tryPartial(b, r, seen)
	}
	if b.Index == 0 {
		d.darkenSpace(seen)
	}
	if b.Suspect != 0 && !d.doubtful(b) {
		b.Suspect, b.Doubted, b.Lossy, b.LossAt = 0, 0, "", 0
	}
	if len(b.Filtered) == 0 && b.Lossy == "" {
		b.Excused = 0
	}
}

// doubtTotal takes back total phases that may have been none, at the end of the first full round after the last.
func (d *Detector) doubtTotal(b *block, r *probe.Round, seen probe.Instant) {
	o := b.Open
	if !o.Doubtful || b.State != Partial || r.Kind != probe.Full || r.Start < o.Back.Latest {
		return
	}
	for len(o.Phases) > 1 && d.mayHaveLived(b, o.Phases[len(o.Phases)-2]) {
		o.Unasked = nil
		d.wasPartial(b, seen)
	}
	o.Doubtful, o.Unasked = false, nil
}

// mayHaveLived reports whether those who live after a total phase may have lived all along. Had all been silent in one in which not all
// were asked, those who live now would have been asked in it as often as any: where far fewer were, they lived. Where it took less than
// two rounds, and some live but fewer than a fifth, they did unless it is certain that those who were asked were not silent by chance.
func (d *Detector) mayHaveLived(b *block, p Phase) bool {
	if p.Kind != Total {
		return false
	}
	all, lives, asked, chance := 0, 0, 0, int64(0) // asked: of those that live, and the odds against their silence
	unasked := b.Open.Unasked
	for i, h := range d.hostsOf(b) {
		if h.Expected == 0 {
			continue
		}
		all++
		if h.Lived <= p.Start.Latest {
			continue
		}
		lives++
		if _, spared := slices.BinarySearch(unasked, i); !spared {
			asked++
			chance += weight(max(million-h.Expected, leastSilence))
		}
	}
	share := all - len(unasked) // asked, of all
	return len(unasked) > 0 && 4*asked*all < lives*share ||
		int64(p.End.At-p.Start.At) < 2*d.MedianGap && lives > 0 && 5*lives < all && chance < certain
}

// wasPartial makes the total phase before the one under way a part of it.
func (d *Detector) wasPartial(b *block, seen probe.Instant) {
	o := b.Open
	n := len(o.Phases)
	if left := d.exodus(b); n == 2 && left.Odds >= certain { // the last life before it may have been that of those who lived all along
		o.Start = d.afterLast(b, left.Start)
		o.Phases[0].Start = o.Start
	}
	o.Phases[n-2].Kind = Partial
	o.Phases = o.Phases[:n-1]
	if n > 2 && o.Phases[n-3].Kind == Partial {
		o.Phases = o.Phases[:n-2]
	}
	o.lastPhase().End = nil
	o.Kind, o.Dark = worstPhase(o.Phases), d.darkParts(b)
	o.Worst = 2 * million // to be measured
	d.move(b, Partial, o.lastPhase().Start.At, seen, "")
	d.measure(b, seen)
	d.publish(b)
}

// darkToo adds to a partial outage's dark prefixes those that are found dark later, and were at its worst pass.
func (d *Detector) darkToo(b *block, r *probe.Round, seen probe.Instant) {
	o := b.Open
	if b.State != Partial || o.Kind != Partial || r.Kind != probe.Full {
		return
	}
	more := slices.DeleteFunc(append(d.darkParts(b), d.decidedDark(b, seen)...), func(p netip.Prefix) bool {
		return d.Areas[d.areas[p]].First > o.WorstAt
	})
	if dark := largest(append(more, o.Dark...)); !slices.Equal(dark, o.Dark) {
		o.Dark = dark
		d.detail(b, o)
		d.publish(b)
	}
}

// darkParts is the blocks of the space that are total, where b is the space.
func (d *Detector) darkParts(b *block) (dark []netip.Prefix) {
	for _, part := range d.openParts(b) {
		if part.State == Total {
			dark = append(dark, part.Prefix)
		}
	}
	return dark
}

// unasked is the hosts with a baseline that have not been asked since a moment, and silent.
func (d *Detector) unasked(b *block, since probe.Instant) (out []int32) {
	for i, h := range d.hostsOf(b) {
		if h.Expected > 0 && h.SilentAt < since {
			out = append(out, i)
		}
	}
	return out
}

// longEnough is how long silence must last to be an outage, in milliseconds: a minute or, where that is less, two rounds.
func (d *Detector) longEnough() int64 { return longEnough(d.MedianGap) }

func longEnough(gap int64) int64 {
	if gap > 0 {
		return min(totalSilence, 2*gap)
	}
	return totalSilence
}

// doubtful reports whether anything still speaks against "up".
func (d *Detector) doubtful(b *block) bool {
	if b.LossAt != 0 {
		return true
	}
	if _, odds := b.Loss.worst(); odds >= certain || d.Areas[b.Index].Weight >= certain {
		return true
	}
	return len(d.darkPrefixes(b, certain, certain)) > 0
}

// measure keeps the figures of the worst pass.
func (d *Detector) measure(b *block, seen probe.Instant) {
	o := b.Open
	if b.State == Total {
		return
	}
	rate := d.rate(b, nil)
	if rate >= o.Worst {
		return
	}
	first := o.Worst > million
	o.Worst, o.WorstAt = rate, seen
	o.Observed = d.observed(b)
	o.Expected = Ratio(b.Expected, million)
	o.ResponseRate = Ratio(int64(o.Observed)*million, b.Expected)
	d.detail(b, o)
	if !first {
		d.publish(b)
	}
}

// alive is how many addresses answer that were known at a moment.
func (d *Detector) alive(b *block, known probe.Instant) (n int64) {
	for _, h := range d.hostsOf(b) {
		if h.Answers && h.First <= known {
			n++
		}
	}
	return n
}

// observed is how many addresses with a baseline answer.
func (d *Detector) observed(b *block) (n int) {
	for _, h := range d.hostsOf(b) {
		if h.Expected > 0 && h.Answers {
			n++
		}
	}
	return n
}

// detail says what a partial outage is made of: who is gone, by which protocols, and what is lost besides dark prefixes.
func (d *Detector) detail(b *block, o *record) {
	left := d.leavers(b, o.Start.Latest)
	for i, h := range d.hostsOf(b) {
		if h.Usual && !slices.Contains(left, i) && inAny(o.Dark, h.Addr) {
			left = append(left, i)
		}
	}
	o.Gone, o.Protocols = d.addresses(left), d.protocolsOf(left)
	expected, answering := int64(0), int64(0)
	for _, h := range d.hostsOf(b) {
		if inAny(o.Dark, h.Addr) {
			continue
		}
		expected += h.Expected
		if h.Expected > 0 && h.Answers {
			answering += million
		}
	}
	o.Loss = Ratio(max(expected-answering, 0), expected)
}

func inAny(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// protocolsOf is by what hosts usually answer.
func (d *Detector) protocolsOf(hosts []int32) []string {
	var codes []uint32
	for _, i := range hosts {
		for _, k := range d.Hosts[i].Services {
			if s := &d.Services[k]; s.Reliable {
				codes = append(codes, s.Code)
			}
		}
	}
	slices.Sort(codes)
	return protocolNames(slices.Compact(codes))
}

func protocolNames(codes []uint32) []string {
	out := []string{}
	for _, code := range codes {
		p, _ := probe.ProtocolOf(code) // the code came from a protocol
		out = append(out, p.String())
	}
	return out
}

// darkProtocols is the protocols by which nothing in a block has answered for so long that filtering is certain, where
// what answers otherwise does so as ever: at least three addresses.
func (d *Detector) darkProtocols(b *block) []uint32 {
	var dark []uint32
	for i := range b.ByProtocol {
		if p := &b.ByProtocol[i]; p.Area.Weight >= certain {
			dark = append(dark, p.Code)
		}
	}
	if len(dark) == 0 || d.hostsWithout(b, dark) < usualForDark || d.rate(b, dark) < lessThanUsual {
		return nil
	}
	return dark
}

func (d *Detector) hostsWithout(b *block, leftOut []uint32) int {
	n := 0
	for _, h := range d.hostsOf(b) {
		if d.expectedWithout(h, leftOut) >= million/2 {
			n++
		}
	}
	return n
}

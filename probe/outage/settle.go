package outage

import (
	"cmp"
	"net/netip"
	"slices"

	"brownout/probe"
)

// settle decides, at the end of a line, what a block's silences were.
func (d *Detector) settle(b *block, r *probe.Round, seen probe.Instant) {
	d.weigh(seen)
	b.Filtered = d.darkProtocols(b)
	switch {
	case b.Open != nil:
		b.doubtReturn()
		d.measure(b)
		d.tryClose(b, seen)
	case b.State == Up && b.Suspect != 0 && r.Start >= b.Suspect && b.Usual >= usualForPartial:
		d.tryPartial(b, seen)
	}
	if b.Index == 0 {
		d.darkenSpace(seen)
	}
	if b.Suspect != 0 && !d.doubtful(b) {
		b.Suspect, b.Doubted = 0, 0
	}
}

// doubtReturn takes a return from total for one in part, once there is no doubt about the loss since.
func (b *block) doubtReturn() {
	if fraction, odds := b.Loss.worst(); b.Open.Cause == causeReturn && odds >= decisive {
		b.Open.Cause, b.Open.Fraction = causeLoss, fraction
	}
}

// doubtful reports whether anything still speaks against "up".
func (d *Detector) doubtful(b *block) bool {
	if _, odds := b.Loss.worst(); odds >= certain || d.Areas[b.Index].Weight >= certain {
		return true
	}
	return len(d.darkPrefixes(b, certain)) > 0
}

// darkPrefixes is the largest prefixes inside a block with enough usual addresses, none of which has lived while the rest
// of the block has, for so long that the odds against that pass the given ones.
func (d *Detector) darkPrefixes(b *block, odds int64) []netip.Prefix {
	var out []netip.Prefix
	lived := d.Areas[b.Index].Lived
	for i := 1; i < len(d.Areas); i++ {
		a := &d.Areas[i]
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

// tryPartial opens a partial outage where the evidence, a confirmation or later round included, is decisive and
// filtering does not explain it.
func (d *Detector) tryPartial(b *block, seen probe.Instant) {
	dark := slices.DeleteFunc(d.darkPrefixes(b, decisive), func(p netip.Prefix) bool {
		return len(b.Filtered) > 0 && d.onlyBy(p, b.Filtered)
	})
	if len(dark) > 0 {
		d.openDark(b, dark, seen)
		return
	}
	fraction, odds := b.Loss.worst()
	a := &d.Areas[b.Index]
	falling := a.Weight >= certain // nothing has lived of late: it may be total yet
	if odds < decisive || falling || len(b.Filtered) > 0 || d.rate(b, nil) > 800_000 {
		return
	}
	d.enter(b, Partial, d.afterLast(b, b.Loss.onset(fraction)), seen)
	b.Open.Cause, b.Open.Fraction = causeLoss, fraction
	d.opened(b, seen)
}

func (d *Detector) openDark(b *block, dark []netip.Prefix, seen probe.Instant) {
	first := &d.Areas[d.areas[dark[0]]]
	for _, p := range dark {
		if a := &d.Areas[d.areas[p]]; a.First < first.First {
			first = a
		}
	}
	d.enter(b, Partial, d.afterLast(b, first.start()), seen)
	b.Open.Cause, b.Open.Dark = causeDark, dark
	for i := range d.Hosts {
		h := &d.Hosts[i]
		if slices.ContainsFunc(dark, func(p netip.Prefix) bool { return p.Contains(h.Addr) }) {
			d.forgetAnswers(h)
		}
	}
	d.opened(b, seen)
}

func (d *Detector) opened(b *block, seen probe.Instant) {
	d.measure(b)
	d.publish(b)
	d.move(b, Partial, b.Open.Start.At, seen, "")
}

// measure keeps the figures of the worst pass.
func (d *Detector) measure(b *block) {
	o := b.Open
	if b.State == Total {
		return
	}
	rate := d.rate(b, nil)
	if rate >= o.Worst {
		return
	}
	first := o.Worst > million
	o.Worst = rate
	o.Observed = 0
	for i := range d.Hosts {
		if h := &d.Hosts[i]; b.holds(h) && h.Expected > 0 && h.Answers {
			o.Observed++
		}
	}
	o.Expected = Ratio(b.Expected, million)
	o.ResponseRate = Ratio(int64(o.Observed)*million, b.Expected)
	if !first {
		d.publish(b)
	}
}

// tryClose ends an outage when the block has regained 0.9 of the rate it had, and nothing in it is dark any more.
func (d *Detector) tryClose(b *block, seen probe.Instant) {
	if b.State != Partial || d.rate(b, nil)*10 < b.Before*9 {
		return
	}
	if b.Index == 0 && slices.ContainsFunc(d.Parts[1:], func(c block) bool { return c.State == Total || c.State == Unknown }) {
		return
	}
	if end := d.recovery(b); end != (Interval{}) {
		d.close(b, end, seen)
	}
}

// recovery is when the block came back; the zero Interval while part of it is dark.
func (d *Detector) recovery(b *block) Interval {
	o := b.Open
	switch o.Cause {
	case causeReturn:
		if again := d.Areas[b.Index].Relit; again.Latest == o.Back.Latest {
			return again // silences seen since may have narrowed it
		}
		return o.Back
	case causeDark:
		var end Interval
		for _, p := range o.Dark {
			a := &d.Areas[d.areas[p]]
			if a.Sure != 0 || !d.mostlyBack(p) {
				return Interval{}
			}
			if a.Relit.At > end.At {
				end = a.Relit
			}
		}
		if end.At > o.Start.At {
			return end
		}
	}
	end, odds := b.Loss.recovery(cmp.Or(o.Fraction, fractions[len(fractions)/2]), max(o.Start.At, o.Back.At))
	switch {
	case odds < decisive:
		return Interval{}
	case end.Earliest <= o.Back.At:
		return o.Back
	}
	return end
}

// mostlyBack reports whether two thirds of a prefix's usual addresses answer.
func (d *Detector) mostlyBack(p netip.Prefix) bool {
	usual, back := 0, 0
	for i := range d.Hosts {
		if h := &d.Hosts[i]; h.Usual && p.Contains(h.Addr) {
			usual++
			if h.Answers {
				back++
			}
		}
	}
	return 3*back >= 2*usual
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
	if len(dark) == 0 || d.hostsWithout(b, dark) < usualForDark || d.rate(b, dark) < 800_000 {
		return nil
	}
	return dark
}

func (d *Detector) hostsWithout(b *block, leftOut []uint32) int {
	n := 0
	for i := range d.Hosts {
		if h := &d.Hosts[i]; b.holds(h) && d.expectedWithout(h, leftOut) >= million/2 {
			n++
		}
	}
	return n
}

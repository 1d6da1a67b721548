package outage

import (
	"net/netip"
	"slices"

	"brownout/probe"
)

// partWith parts with the hosts that are not in the space any more, and ends what was open for their sake.
func (d *Detector) partWith(at probe.Instant) {
	gone := make([]int64, len(d.Parts)) // millionths of addresses, as they were expected
	for i := range d.Hosts {
		h := &d.Hosts[i]
		if d.holds(h.Addr) {
			continue
		}
		d.forgetAnswers(h)
		for _, b := range blocksOf(h) {
			gone[b] += h.Expected
		}
	}
	if gone[0] == 0 {
		return
	}
	d.refresh(at)
	for i := len(d.Parts) - 1; i >= 0; i-- { // the space last: its blocks' outages are part of its own
		if b := &d.Parts[i]; gone[i] > 0 {
			b.Alive, b.Hours = max(b.Alive-gone[i], 0), [24]hourly{}
			b.Sinking.part(gone[i])
			d.drop(b, at)
		}
	}
}

// drop looks at a block that lost hosts to a change of the space. An outage of those alone ends with the last look at them.
func (d *Detector) drop(b *block, at probe.Instant) {
	if o := b.Open; o != nil {
		dark := slices.DeleteFunc(slices.Clone(o.Dark), d.deserted)
		if !d.over(b, dark) {
			o.Dark, o.Watched = dark, slices.DeleteFunc(slices.Clone(o.Watched), d.deserted)
		} else {
			d.revise(b, o, Revision{At: at, Finding: Dropped, Kind: o.Kind, Addresses: []netip.Addr{}, Rounds: d.roundsAround(at-1, at)})
			d.close(b, instant(d.Covered), at)
		}
	}
	if b.Open == nil {
		b.doubtNoMore(at)
	}
	switch {
	case b.Index == 0 && b.State > Learning && b.Expected == 0: // all of it is new
		b.Rounds = 0
		d.move(b, Learning, max(d.Covered, b.Since), at, "")
	case b.Targets == 0:
		d.move(b, Unobservable, max(d.Covered, b.Since), at, "")
	}
}

// over reports whether nobody is left in the space for whose sake a block's outage was open, nor of its prefixes any dark.
func (d *Detector) over(b *block, dark []netip.Prefix) bool {
	o := b.Open
	if b.Expected == 0 {
		return true
	}
	return b.State == Partial && (o.Cause == causeDark || o.Cause == causeGone || o.Cause == causeSunken) && len(dark) == 0 &&
		len(d.leavers(b, o.Start.Latest)) == 0
}

// deserted reports whether no usual host of the space is in a prefix.
func (d *Detector) deserted(p netip.Prefix) bool {
	return !slices.ContainsFunc(d.Hosts, func(h host) bool { return h.Usual && p.Contains(h.Addr) })
}

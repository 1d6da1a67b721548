package outage

import (
	"cmp"
	"net/netip"
	"slices"

	"brownout/probe"
)

// reports is the conditions of a block with their evidence. It is never nil.
func (d *Detector) reports(b *block) []Report {
	out := []Report{}
	add := func(r Report) {
		r.Protocols = append([]string{}, r.Protocols...)
		r.Addresses = append([]netip.Addr{}, r.Addresses...)
		r.Rounds = append([]probe.Instant{}, r.Rounds...)
		out = append(out, r)
	}
	if b.Excused != 0 && int64(d.Judged-b.Excused) >= d.longEnough() {
		filtered, limited := d.excuse(b)
		if len(filtered) > 0 {
			since := d.filteredSince(b, filtered)
			add(Report{Condition: Filtering, Since: since, Protocols: protocolNames(filtered), Rounds: d.roundsAround(since, d.Judged)})
		}
		if icmp := probe.ICMP.Code(); limited {
			since := b.losesSince(icmp)
			add(Report{Condition: RateLimited, Since: since, Protocols: protocolNames([]uint32{icmp}), Rounds: d.roundsAround(since, d.Judged)})
		}
	}
	if b.Unstable != 0 && (b.Open != nil || d.Judged-b.Last.End.At <= unstableWindow) {
		add(Report{Condition: Unstable, Since: b.Unstable, Rounds: slices.Clone(b.Starts[max(0, len(b.Starts)-12):])})
	}
	if d.MiddleboxAt != 0 && d.Judged-d.MiddleboxAt < 3600_000 {
		add(Report{Condition: Middlebox, Since: d.MiddleboxSince, Addresses: d.Boxed, Rounds: d.roundsAround(d.MiddleboxAt, d.Judged)})
	}
	if b.Moved.Condition != "" && d.Judged-b.Moved.Since <= movedWithin {
		add(b.Moved)
	}
	return out
}

// excuse is the protocols that are filtered in a block, and whether ICMP is limited: a filter lets nothing through.
func (d *Detector) excuse(b *block) (filtered []uint32, limited bool) {
	filtered, limited = slices.Clone(b.Filtered), b.Lossy == RateLimited
	if b.Lossy == Filtering && len(filtered) == 0 {
		filtered = []uint32{b.LossyBy}
	}
	icmp := probe.ICMP.Code()
	if i := slices.Index(filtered, icmp); i >= 0 && b.byProtocol(icmp).Lived > b.Excused {
		return slices.Delete(filtered, i, i+1), true
	}
	return filtered, limited
}

// filteredSince is when the first of a block's filtered protocols fell silent or, where they answer now and then, began to lose more.
func (d *Detector) filteredSince(b *block, filtered []uint32) probe.Instant {
	since := d.Judged
	for _, code := range filtered {
		began := b.byProtocol(code).First
		if !slices.Contains(b.Filtered, code) {
			began = b.losesSince(code)
		}
		since = min(since, began)
	}
	return since
}

// losesSince is when a protocol of a block began to lose more than it did or, where too little of that is kept, when that was certain.
func (b *block) losesSince(code uint32) probe.Instant { return cmp.Or(b.Loss.begin(code), b.Excused) }

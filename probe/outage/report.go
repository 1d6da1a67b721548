package outage

import (
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
	if len(b.Filtered) > 0 {
		since := d.filteredSince(b)
		add(Report{Condition: Filtering, Since: since, Protocols: protocolNames(b.Filtered), Rounds: d.roundsAround(since, d.Judged)})
	}
	if b.Lossy != "" && !(b.Lossy == Filtering && len(b.Filtered) > 0) {
		since := b.Loss.begin(b.LossyBy)
		add(Report{Condition: b.Lossy, Since: since, Protocols: protocolNames([]uint32{b.LossyBy}), Rounds: d.roundsAround(since, d.Judged)})
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

// filteredSince is when the first of a block's filtered protocols fell silent.
func (d *Detector) filteredSince(b *block) probe.Instant {
	since := d.Judged
	for _, code := range b.Filtered {
		since = min(since, b.byProtocol(code).First)
	}
	return since
}

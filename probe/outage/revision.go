package outage

import (
	"net/netip"
	"slices"

	"brownout/probe"
)

// belated looks at life that was sent into a time that has been called total, and is over: the outage is revised.
func (d *Detector) belated(b *block, h *host, r *probe.Round, e *event) {
	for _, o := range []*record{b.Open, b.Last} {
		if o == nil || !slices.ContainsFunc(o.Phases, func(p Phase) bool { return p.refuted(e.from) }) {
			continue
		}
		if !slices.ContainsFunc(o.Revisions, func(r Revision) bool { return r.Finding == LateReply }) {
			d.revise(b, o, Revision{At: e.Seen, Finding: LateReply, Kind: Partial, Addresses: []netip.Addr{h.Addr}, Rounds: []probe.Instant{r.Start}})
		}
	}
}

// refuted reports whether life that was sent at t shows that a phase was not total throughout.
func (p *Phase) refuted(t probe.Instant) bool {
	return p.Kind == Total && p.End != nil && t > p.Start.Latest && t < p.End.Earliest
}

// revise adds a finding to an outage, and its condition where it is one. Nothing that was said of the outage is changed.
func (d *Detector) revise(b *block, o *record, r Revision) {
	o.Revisions = append(o.Revisions, r)
	if r.Finding != LateReply && !slices.Contains(o.Conditions, r.Finding) {
		o.Conditions = append(o.Conditions, r.Finding)
	}
	d.findings.Outages = append(d.findings.Outages, d.outageOf(b, o))
}

package outage

import (
	"net/netip"
	"slices"

	"brownout/probe"
)

// record is an outage with what its end will be told by.
type record struct {
	Outage
	Cause    cause
	Back     Interval       // when life came back after the last total phase
	Fraction int64          // millionths: of life that was left
	Worst    int64          // millionths: the lowest response rate of a pass
	WorstAt  probe.Instant  // when that was seen
	Watched  []netip.Prefix // the dark prefixes that it began with, which it waits for
	Short    probe.Instant  // when less than what it had was last seen to answer
	Sparse   probe.Instant  // when so few were last seen to answer, in a round, that a block of them alone would have no verdict
	Doubtful bool           // whether it is still to be judged if that phase was total
	Unasked  []int32        // hosts that were not asked in it, ascending
}

// lastPhase is the phase that goes on, or was the last.
func (o *Outage) lastPhase() *Phase { return &o.Phases[len(o.Phases)-1] }

type cause uint8

const (
	causeTotal  cause = iota
	causeReturn       // life came back after a total phase, but not all of it
	causeDark         // a prefix is dark
	causeLoss         // fewer probes are answered than should be
	causeGone         // a share of the hosts is silent throughout
	causeSunken       // fewer answer, after hours of decline, than at the worst hour of other days
)

const (
	reasonUnverified = "vantage-unverified"
	reasonVantage    = "vantage"
	reasonGap        = "gap"
	reasonUnsent     = "unsent"
	reasonMiddlebox  = "middlebox"
	reasonGlimpse    = "glimpse" // all was dark, but seen for too short to say that it lasted
)

// enter opens an outage, or a phase of the one under way. It is published once its figures are there.
func (d *Detector) enter(b *block, s State, start Interval, seen probe.Instant) {
	if b.Open == nil {
		d.open(b, start, seen)
	}
	o := b.Open
	for n := len(o.Phases); n > 0 && o.Phases[n-1].Kind != s && o.Phases[n-1].Start.At >= start.Earliest; n-- {
		o.Phases = o.Phases[:n-1] // it may as well never have been
	}
	switch n := len(o.Phases); {
	case n == 0:
		o.Start = start
		o.Phases = append(o.Phases, Phase{Kind: s, Start: start})
	case o.Phases[n-1].Kind == s:
		o.Phases[n-1].End = nil
	default:
		end := start
		o.Phases[n-1].End = &end
		o.Phases = append(o.Phases, Phase{Kind: s, Start: start})
	}
	if o.Kind != Total {
		o.Kind = s
	}
	if s == Total {
		o.Cause, o.Worst, o.Observed, o.ResponseRate = causeTotal, 0, 0, 0
		o.Expected = Ratio(b.Expected, million)
		o.Dark = d.darkWhole(b)
		usual := d.usualIn(b)
		o.Loss, o.Gone, o.Protocols = 0, d.addresses(usual), d.protocolsOf(usual)
	}
}

func (d *Detector) open(b *block, start Interval, seen probe.Instant) {
	d.countStart(b, start.At)
	b.Suspect, b.Doubted, b.LossAt, b.Sinking.Since = 0, 0, 0, 0
	b.Open = &record{Worst: 2 * million, Outage: Outage{
		ID: outageID(b.Name, start), Block: b.Name, Status: Ongoing,
		Start: start, DeclaredAt: seen, Power: d.power(b),
	}}
	if b.Unstable != 0 {
		b.Open.UnstableFor = Seconds((start.At - b.Unstable) / 1000)
		b.Open.Conditions = append(b.Open.Conditions, Unstable)
	}
	if d.singleProtocol(b) {
		b.Open.Conditions = append(b.Open.Conditions, SingleProtocol)
	}
	b.Open.Evidence = append(b.Open.Evidence, d.roundsAround(start.Earliest, seen)...)
	d.countCompany(seen)
}

// outageID names an outage by its block and its start.latest as first declared.
func outageID(block string, start Interval) string {
	return block + "-" + start.Latest.Time().Format("20060102T150405.000Z")
}

// countStart keeps count of the starts of the last hours.
func (d *Detector) countStart(b *block, at probe.Instant) {
	if len(b.Starts) > 0 && b.Last != nil && b.Last.End != nil && at-b.Last.End.At > unstableWindow {
		b.Starts, b.Unstable = nil, 0
	}
	b.Starts = slices.DeleteFunc(b.Starts, func(t probe.Instant) bool { return at-t > unstableWindow })
	b.Starts = append(b.Starts, at)
	if b.Unstable == 0 && len(b.Starts) >= unstableCount {
		b.Unstable = b.Starts[0]
	}
}

// roundsAround is the full rounds that tell of a start: at most four.
func (d *Detector) roundsAround(from, to probe.Instant) []probe.Instant {
	var out []probe.Instant
	for i, t := range d.Starts {
		next := to + 1
		if i+1 < len(d.Starts) {
			next = d.Starts[i+1]
		}
		if next > from && t <= to {
			out = append(out, t)
		}
	}
	return out[max(0, len(out)-4):]
}

func (d *Detector) singleProtocol(b *block) bool {
	var code uint32
	for i := range d.Services {
		s := &d.Services[i]
		if !s.Reliable || !b.holds(&d.Hosts[s.Host]) {
			continue
		}
		if code != 0 && code != s.Code {
			return false
		}
		code = s.Code
	}
	return true
}

// close ends the outage under way.
func (d *Detector) close(b *block, end Interval, seen probe.Instant) {
	o := b.Open
	for n := len(o.Phases); n > 1 && (o.Phases[n-1].Start.At >= end.At || o.Cause == causeReturn && o.Phases[n-1].Start.Latest == end.Latest); n-- {
		o.Phases = o.Phases[:n-1] // it was the end itself
		d.move(b, o.Phases[n-2].Kind, o.Phases[n-2].Start.At, seen, "")
	}
	last := o.lastPhase().Start
	end.Earliest, end.At = max(end.Earliest, last.Earliest), max(end.At, last.At)
	end.Latest = max(end.Latest, end.At)
	o.lastPhase().End = &end
	o.Start.Latest = min(o.Start.Latest, end.Latest)
	o.Phases[0].Start.Latest = min(o.Phases[0].Start.Latest, end.Latest)
	o.Status, o.End = Ended, &end
	o.Kind = worstPhase(o.Phases)
	o.Evidence = appendNew(o.Evidence, d.roundsAround(end.Earliest, seen), 12)
	d.publish(b)
	b.Last, b.Open = b.Open, nil
	b.Suspect, b.Doubted, b.LossAt = 0, 0, 0
	b.Loss.reset(end.At)
	b.forgetLevels(o.Start.At, end.At)
	d.move(b, Up, end.At, seen, "")
}

func worstPhase(phases []Phase) State {
	worst := Partial
	for _, p := range phases {
		if p.Kind == Total {
			worst = Total
		}
	}
	return worst
}

func appendNew(list, more []probe.Instant, most int) []probe.Instant {
	for _, t := range more {
		if !slices.Contains(list, t) && len(list) < most {
			list = append(list, t)
		}
	}
	return list
}

// publish puts the outage as it stands among the findings.
func (d *Detector) publish(b *block) {
	d.findings.Outages = append(d.findings.Outages, d.outageOf(b, b.Open))
	if b.Index == 0 {
		d.adopt(b.Open)
	}
}

// outageOf is a copy of a record's outage, with the times unseen among its phases.
func (d *Detector) outageOf(b *block, r *record) Outage {
	if b.Index != 0 && r.PartOf == nil {
		r.PartOf = d.partOf(r.Start)
	}
	o := r.Outage
	o.Phases = d.withUnseen(b, o.Phases)
	// Never nil, for they are published as lists.
	o.Dark = append([]netip.Prefix{}, o.Dark...)
	o.Gone = append([]netip.Addr{}, o.Gone...)
	o.Protocols = append([]string{}, o.Protocols...)
	o.Evidence = append([]probe.Instant{}, o.Evidence...)
	o.Conditions = append([]Condition{}, o.Conditions...)
	o.Revisions = append([]Revision{}, o.Revisions...)
	return o
}

// partOf is the ID of the space's outage that overlaps a start; nil where there is none.
func (d *Detector) partOf(start Interval) *string {
	for _, whole := range []*record{d.Parts[0].Open, d.Parts[0].Last} {
		if whole != nil && overlaps(&whole.Outage, start) {
			id := whole.ID
			return &id
		}
	}
	return nil
}

func overlaps(whole *Outage, start Interval) bool {
	return whole.Start.Earliest <= start.Latest && (whole.End == nil || whole.End.Latest >= start.Earliest)
}

// adopt publishes anew the block outages whose start a space's outage overlaps.
func (d *Detector) adopt(whole *record) {
	for i := 1; i < len(d.Parts); i++ {
		b := &d.Parts[i]
		for _, r := range []*record{b.Open, b.Last} {
			if r != nil && r.PartOf == nil && overlaps(&whole.Outage, r.Start) {
				d.findings.Outages = append(d.findings.Outages, d.outageOf(b, r))
			}
		}
	}
}

// withUnseen splits phases by the times of which we know nothing.
func (d *Detector) withUnseen(b *block, phases []Phase) []Phase {
	var out []Phase
	for _, p := range phases {
		for _, u := range d.unseenOf(b) {
			if u.To == 0 || u.From <= p.Start.At || p.End != nil && u.To > p.End.At {
				continue
			}
			from, to := instant(u.From), instant(u.To)
			out = append(out, Phase{Kind: p.Kind, Start: p.Start, End: &from}, Phase{Kind: Unknown, Start: from, End: &to})
			p.Start = to
		}
		out = append(out, p)
	}
	return out
}

func instant(t probe.Instant) Interval { return Interval{t, t, t} }

// usualIn is a block's usual hosts.
func (d *Detector) usualIn(b *block) (usual []int32) {
	for i, h := range d.hostsOf(b) {
		if h.Usual {
			usual = append(usual, i)
		}
	}
	return usual
}

// darkWhole is all of a block's addresses.
func (d *Detector) darkWhole(b *block) []netip.Prefix {
	if b.Index == 0 {
		return slices.Clone(d.Prefixes)
	}
	return []netip.Prefix{b.Prefix}
}

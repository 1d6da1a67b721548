package outage

import (
	"slices"

	"brownout/probe"
)

// summarise publishes each block's figures of a full round, as far as they had been seen when it ended.
func (d *Detector) summarise(r *probe.Round, seen probe.Instant) {
	lives := make([]map[int32]bool, len(d.Parts)) // hosts that lived
	rtts := make([][]uint32, len(d.Parts))
	for i := range lives {
		lives[i] = map[int32]bool{}
	}
	for i := range r.Passes {
		p := &r.Passes[i]
		for k := range p.Answers {
			a := &p.Answers[k]
			h, known := d.hosts[p.Targets.Addr(int(a.Target))]
			if !known || !a.Outcome.Life() || d.seenAfter(r, a, seen) {
				continue
			}
			for _, b := range blocksOf(&d.Hosts[h]) {
				lives[b][h] = true
				if a.Outcome == probe.Reply && a.RTT > 0 {
					rtts[b] = append(rtts[b], a.RTT)
				}
			}
		}
	}
	for i := range d.Parts {
		if !d.Parts[i].probed() {
			continue
		}
		d.summariseBlock(&d.Parts[i], r, lives[i], rtts[i])
	}
}

// seenAfter reports whether a late reply had not come yet.
func (d *Detector) seenAfter(r *probe.Round, a *probe.Answer, seen probe.Instant) bool {
	_, to := bounds(r, a.Offset)
	return a.Outcome == probe.Late && to.Add(r.RTTMS(a)) > seen
}

func (d *Detector) summariseBlock(b *block, r *probe.Round, lives map[int32]bool, rtts []uint32) {
	observed := 0
	for h := range lives {
		if d.Hosts[h].Expected > 0 {
			observed++
		}
	}
	b.Responsive = len(lives)
	state, _, _ := d.verdict(b)
	s := Summary{
		Kind: r.Kind, Start: r.Start, End: r.End, Block: b.Name, State: state, Targets: b.Targets,
		Expected: Ratio(b.Expected, million), Observed: observed, Responsive: len(lives),
	}
	if d.unseenAt(b, r.End-1) != nil {
		s.State = Unknown
	}
	slices.Sort(rtts)
	for i, percent := range []int{10, 25, 50, 75, 90} {
		if len(rtts) > 0 {
			s.RTT[i] = rtts[(len(rtts)-1)*percent/100]
		}
	}
	d.findings.Summaries = append(d.findings.Summaries, s)
}

package outage

import (
	"cmp"
	"slices"

	"brownout/probe"
)

// vantageSeen is one of late, when a line of it last began, and whether it hears anybody.
type vantageSeen struct {
	Name  string
	At    probe.Instant
	Heard probe.Instant // send time of the latest life that it saw
	Deaf  probe.Instant // the end of the first full line in which it heard nobody since; 0: there was none
	Asked []int32       // the services that it asked in that line, ascending
	Belie string        // the vantage that heard one of them since then, the last
}

func (d *Detector) vantage(name string) *vantageSeen {
	k := slices.IndexFunc(d.Vantages, func(v vantageSeen) bool { return v.Name == name })
	if k < 0 {
		return nil
	}
	return &d.Vantages[k]
}

// hear notes life of a service that a line's vantage saw.
func (d *Detector) hear(r *probe.Round, e *event, service int32) {
	v := d.vantage(r.Vantage)
	if v == nil {
		return
	}
	v.Heard, v.Deaf, v.Asked, v.Belie = max(v.Heard, e.from), 0, nil, ""
	for i := range d.Vantages {
		o := &d.Vantages[i]
		if o.Deaf == 0 || e.from < o.Deaf {
			continue
		}
		if _, asked := slices.BinarySearch(o.Asked, service); asked {
			o.Belie = v.Name
		}
	}
}

// hearNothing notes, as a full line ends, that its vantage has heard nobody since it began, though it asked who usually answers.
func (d *Detector) hearNothing(r *probe.Round) {
	v := d.vantage(r.Vantage)
	if v == nil || v.Deaf != 0 || v.Heard >= r.Start {
		return
	}
	var asked []int32
	for i := range d.Services {
		s := &d.Services[i]
		k := passBy(r, s.Code)
		if k < 0 || !s.hasBaseline() {
			continue
		}
		p := &r.Passes[k]
		target, ok := p.Targets.Index(d.Hosts[s.Host].Addr)
		if !ok {
			continue
		}
		if _, failed := slices.BinarySearch(p.Unsent, int32(target)); !failed {
			asked = append(asked, int32(i))
		}
	}
	if len(asked) >= usualForDark {
		v.Deaf, v.Asked = r.End, asked
	}
}

// deaf reports whether a line's vantage heard nobody in a whole line, and another, that still looks, has since heard somebody whom it asked
// in that: then its silence is its own. Where all are silent, nobody has been heard since; and of whom it alone asks, nobody else hears.
func (d *Detector) deaf(r *probe.Round) bool {
	v := d.vantage(r.Vantage)
	return v != nil && v.Deaf != 0 && v.Belie != "" && d.vantage(v.Belie) != nil
}

// heardElsewhere reports whether a line of another vantage that began during this one has life of the same service: together they are one
// round, and nobody tells whether the silence came before that or after.
func (d *Detector) heardElsewhere(r *probe.Round, e *event) bool {
	if len(d.Vantages) < 2 || int64(e.to-e.from) <= probe.PlanTolerance.Milliseconds() {
		return false
	}
	protocol := r.Passes[e.pass].Protocol.Code()
	return slices.ContainsFunc(d.lines, func(l *line) bool {
		o := l.round
		k := passBy(o, protocol)
		if k < 0 || !besides(r, o) {
			return false
		}
		p := &o.Passes[k]
		target, ok := p.Targets.Index(e.addr)
		i, found := slices.BinarySearchFunc(p.Answers, int32(target), func(a probe.Answer, t int32) int { return cmp.Compare(a.Target, t) })
		if !ok || !found || !p.Answers[i].Outcome.Life() {
			return false
		}
		a := &p.Answers[i]
		service, known := d.services[serviceKey{e.addr, p.Protocol}]
		from, _ := bounds(o, a.Offset)
		return from < r.End && !d.tooFast(service, known, &event{outcome: a.Outcome, rtt: a.RTT})
	})
}

// besides reports whether a line of another vantage began during a line.
func besides(r, o *probe.Round) bool {
	return r.Vantage != o.Vantage && r.Start <= o.Start && (o.Start < r.End || o.Start == r.Start)
}

package outage

import (
	"cmp"
	"net/netip"
	"slices"

	"brownout/probe"
)

// line is a round whose observations have not all been judged.
type line struct {
	round  *probe.Round
	events []event // in order; the first next of them have been judged
	next   int
}

// judged reports whether all of a line has been.
func (l *line) judged() bool { return l.next == len(l.events) }

// event is what the detector sees at one moment: a line that begins, one observation, a window that ends, a line that
// ends.
type event struct {
	Seen     probe.Instant
	rank     rank
	pass     int32
	target   int32
	addr     netip.Addr
	outcome  probe.Outcome
	from, to probe.Instant // bounds of the send time
	untold   bool          // its pass does not tell when those were asked who were silent
	arrived  probe.Instant // of life
	belated  bool          // a late reply, or the silence before it: nothing waits for it
	rtt      uint32
}

// rank orders what is seen in the same millisecond.
type rank uint8

const (
	begins rank = iota
	turnsBad
	observes
	turnsGood
	ends
)

func (l *line) compare(a, b *event, other *line) int {
	return cmp.Or(
		cmp.Compare(a.Seen, b.Seen),
		cmp.Compare(a.rank, b.rank),
		cmp.Compare(l.round.Start, other.round.Start),
		cmp.Compare(l.round.Kind, other.round.Kind),
		l.compareAims(a, b, other),
		cmp.Compare(a.pass, b.pass),
		cmp.Compare(a.target, b.target),
		cmp.Compare(a.from, b.from),
	)
}

// compareAims orders lines of one start by what they say, not by which of them came first.
func (l *line) compareAims(a, b *event, other *line) int {
	if l == other || len(l.round.Passes) == 0 || len(other.round.Passes) == 0 {
		return 0
	}
	p, q := &l.round.Passes[a.pass], &other.round.Passes[b.pass]
	return cmp.Or(
		cmp.Compare(l.round.Vantage, other.round.Vantage),
		cmp.Compare(p.Protocol.Code(), q.Protocol.Code()),
		p.Targets.Addr(0).Compare(q.Targets.Addr(0)),
	)
}

// expand lists what the detector sees of a round, in order. Of the silent only the services known before the round began
// are listed: a service that never answered is silent to nobody.
func (d *Detector) expand(r *probe.Round) *line {
	l := &line{round: r, events: make([]event, 0, d.expectedEvents(r))}
	l.events = append(l.events, event{Seen: r.Start, rank: begins})
	for _, w := range badWindows(r) {
		l.events = append(l.events,
			event{Seen: r.Start.Add(w.From), rank: turnsBad},
			event{Seen: r.Start.Add(w.To), rank: turnsGood})
	}
	var plan *probe.Plan
	if r.Seeded {
		plan = r.Plan()
		if d.Distrust = d.Distrust || contradicts(r, plan); d.Distrust {
			plan = nil
		}
	}
	for i := range r.Passes {
		first := len(l.events)
		d.expandAnswers(l, i, plan)
		d.expandSilence(l, i, plan)
		if untold(&r.Passes[i], plan != nil) {
			for k := first; k < len(l.events); k++ {
				l.events[k].untold = true
			}
		}
	}
	l.events = append(l.events, event{Seen: l.end(), rank: ends})
	slices.SortFunc(l.events, func(a, b event) int { return l.compare(&a, &b, l) })
	return l
}

// end is when all of the round has been seen but for late replies. Of a silence that is known by its plan alone, that may be after
// the end of sending and the timeout.
func (l *line) end() probe.Instant {
	end, _ := l.round.Seen()
	for i := range l.events {
		if e := &l.events[i]; e.rank == observes && !e.belated {
			end = max(end, e.Seen)
		}
	}
	return end
}

// untold reports whether a pass does not tell when everybody was asked; by its plan it may.
func untold(p *probe.Pass, planned bool) bool {
	return len(p.SilentMS) == 0 && !planned || slices.Contains(p.SilentMS, probe.UnknownOffset) ||
		slices.ContainsFunc(p.Answers, func(a probe.Answer) bool { return a.Offset == probe.UnknownOffset })
}

// expectedEvents is how many events a round has, about.
func (d *Detector) expectedEvents(r *probe.Round) int {
	n := len(d.Services)/2 + 8
	for i := range r.Passes {
		n += len(r.Passes[i].Answers)
	}
	return n
}

func badWindows(r *probe.Round) []probe.Window {
	if !r.VantageOK {
		return []probe.Window{{From: 0, To: int64(r.End-r.Start) + r.TimeoutMS()}}
	}
	return r.VantageBad
}

// contradicts reports whether a probe was sent before the plan had it: then the seed belongs to another arrangement.
func contradicts(r *probe.Round, plan *probe.Plan) bool {
	for i := range r.Passes {
		for k := range r.Passes[i].Answers {
			a := &r.Passes[i].Answers[k]
			planned := plan.Offset(i, int(a.Target)).Milliseconds()
			if a.Offset != probe.UnknownOffset && int64(a.Offset)+probe.PlanTolerance.Milliseconds() < planned {
				return true
			}
		}
	}
	return false
}

func (d *Detector) expandAnswers(l *line, pass int, plan *probe.Plan) {
	r, p := l.round, &l.round.Passes[pass]
	for k := range p.Answers {
		a := &p.Answers[k]
		e := event{pass: int32(pass), target: a.Target, addr: p.Targets.Addr(int(a.Target)), rank: observes, outcome: a.Outcome, rtt: a.RTT}
		if !a.Outcome.Life() {
			if d.knownBefore(e.addr, p.Protocol, r.Start) {
				e.from, e.to = silentBounds(r, plan, pass, a.Target, a.Offset)
				e.Seen = e.to.Add(r.TimeoutMS())
				l.events = append(l.events, e)
			}
			continue
		}
		e.from, e.to = bounds(r, a.Offset)
		e.arrived = e.to.Add(r.RTTMS(a))
		e.Seen = e.arrived
		if a.Outcome == probe.Late {
			e.belated = true
			e.Seen = max(e.Seen, e.to.Add(r.TimeoutMS()+1))
			d.expandTimeoutOfLate(l, e, a, plan)
		}
		l.events = append(l.events, e)
	}
}

// expandTimeoutOfLate lists the silence that a late reply was before it came.
func (d *Detector) expandTimeoutOfLate(l *line, e event, a *probe.Answer, plan *probe.Plan) {
	if !d.knownBefore(e.addr, l.round.Passes[e.pass].Protocol, l.round.Start) {
		return
	}
	first := a.Offset
	if a.First != probe.UnknownOffset {
		first = a.First
	}
	e.outcome, e.rtt = probe.Timeout, 0
	e.from, e.to = silentBounds(l.round, plan, int(e.pass), e.target, first)
	e.Seen = e.to.Add(l.round.TimeoutMS())
	l.events = append(l.events, e)
}

func (d *Detector) expandSilence(l *line, pass int, plan *probe.Plan) {
	r, p := l.round, &l.round.Passes[pass]
	if len(p.SilentMS) > 0 {
		k := 0
		for target := range p.Silent() {
			addr := p.Targets.Addr(int(target))
			if d.knownBefore(addr, p.Protocol, r.Start) {
				from, to := silentBounds(r, plan, pass, target, p.SilentMS[k])
				l.silence(pass, target, addr, from, to)
			}
			k++
		}
		return
	}
	for i := range d.Services {
		s := &d.Services[i]
		addr := d.Hosts[s.Host].Addr
		if s.Code != p.Protocol.Code() || s.Known >= r.Start {
			continue
		}
		k, ok := p.Targets.Index(addr)
		if !ok || p.AccountsFor(int32(k)) {
			continue
		}
		from, to := r.Start, r.End
		if plan != nil {
			from = r.Start.Add(plan.Offset(pass, k).Milliseconds())
			to = from.Add(probe.PlanTolerance.Milliseconds())
		}
		l.silence(pass, int32(k), addr, from, to)
	}
}

func (l *line) silence(pass int, target int32, addr netip.Addr, from, to probe.Instant) {
	l.events = append(l.events, event{
		Seen: to.Add(l.round.TimeoutMS()), rank: observes, pass: int32(pass), target: target, addr: addr,
		outcome: probe.Timeout, from: from, to: to,
	})
}

// silentBounds is the send time of an attempt that was silent. One recorded as planned was sent then, or within the
// tolerance of plans after.
func silentBounds(r *probe.Round, plan *probe.Plan, pass int, target, offset int32) (from, to probe.Instant) {
	from, to = bounds(r, offset)
	if plan != nil && int64(offset) == plan.Offset(pass, int(target)).Milliseconds() {
		to = from.Add(probe.PlanTolerance.Milliseconds())
	}
	return from, to
}

// bounds is the send time of an attempt, or the round's where it is unknown.
func bounds(r *probe.Round, offset int32) (from, to probe.Instant) {
	if offset == probe.UnknownOffset {
		return r.Start, r.End
	}
	at := r.Start.Add(int64(offset))
	return at, at
}

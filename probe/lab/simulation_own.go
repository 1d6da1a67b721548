package lab

import (
	"math/rand/v2"
	"slices"

	"brownout/probe"
)

// unsent is what a round did not send: what failed, and what it did not come to.
func (s *Simulation) unsent(r *probe.Round, plan *probe.Plan, aim int) []int32 {
	var blocks []*Event
	for i := range s.model.Events {
		if e := &s.model.Events[i]; e.Effect == BlocksSends && e.From < r.End && e.To > r.Start {
			blocks = append(blocks, e)
		}
	}
	if len(blocks) == 0 && int64(r.End-r.Start) == r.Span.Milliseconds() {
		return nil
	}
	targets := plan.Aims()[aim].Targets
	var out []int32
	for k := range targets.Len() {
		sent := r.Start.Add(plan.Offset(aim, k).Milliseconds())
		a := targets.Addr(k)
		if sent >= r.End || slices.ContainsFunc(blocks, func(e *Event) bool { return e.at(sent) && e.strikes(a) }) {
			out = append(out, int32(k))
		}
	}
	return out
}

// vouch marks when the references said that our link was down. Like [probe.Vantage], it takes 20 s of silence to say so,
// and then says so from the last answered ping before it to the first after it.
func (s *Simulation) vouch(r *probe.Round) {
	const interval, patience = 10_000, 20_000
	for i := range s.model.Events {
		e := &s.model.Events[i]
		if e.Effect != CutsUsOff || int64(e.To-e.From) < patience+interval {
			continue
		}
		d := s.dice.with(uint64(e.From))
		from := e.From.Add(-int64(d.below(forPhase, interval)))
		to := e.To.Add(int64(d.below(forSpell, interval)))
		from, to = max(from, r.Start), min(to, r.End.Add(r.TimeoutMS()))
		if from < to {
			r.VantageBad = append(r.VantageBad, probe.Window{From: int64(from - r.Start), To: int64(to - r.Start)})
		}
	}
	slices.SortFunc(r.VantageBad, func(a, b probe.Window) int { return int(a.From - b.From) })
}

func (s *Simulation) intercepted(r *probe.Round) bool {
	return slices.ContainsFunc(s.model.Events, func(e Event) bool {
		return e.Effect == Intercepts && e.From < r.End && e.To > r.Start
	})
}

// intercept lets a middlebox answer for every target.
func (s *Simulation) intercept(r *probe.Round, pass *probe.Pass, plan *probe.Plan, aim int) {
	rng := rand.New(rand.NewPCG(r.Seed, uint64(aim)))
	for k := range pass.Targets.Len() {
		offset := plan.Offset(aim, k).Milliseconds()
		sent, a := r.Start.Add(offset), pass.Targets.Addr(k)
		if pass.AccountsFor(int32(k)) || !slices.ContainsFunc(s.model.Events, func(e Event) bool {
			return e.Effect == Intercepts && e.at(sent) && e.strikes(a)
		}) {
			continue
		}
		at, _ := slices.BinarySearchFunc(pass.Answers, int32(k), func(a probe.Answer, t int32) int { return int(a.Target - t) })
		pass.Answers = slices.Insert(pass.Answers, at, probe.Answer{Target: int32(k), Outcome: probe.Reply,
			Offset: int32(offset), First: probe.UnknownOffset, RTT: probe.QuantiseRTT(uint32(8_000 + rng.IntN(12_000)))})
	}
}

// StoppedAt is the event that keeps us from running at a moment; nil where none does.
func (s *Simulation) StoppedAt(t probe.Instant) *Event {
	for i := range s.model.Events {
		if e := &s.model.Events[i]; e.Effect == StopsUs && e.at(t) {
			return e
		}
	}
	return nil
}

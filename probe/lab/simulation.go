package lab

import (
	"cmp"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"brownout/probe"
)

// Simulation plays a model. The same model and seed give the same rounds. Rounds are asked for in order of their start;
// the last day may be asked about again. It is not safe for concurrent use.
type Simulation struct {
	model Model
	dice  dice
	rng   *rand.Rand // of rounds' seeds
	path  *spells
	hosts []*dweller
	taken map[netip.Addr]bool
	load  []sweepLoad // of the last hour, for rate limits
}

// sweepLoad is how many ICMP probes a second a line sends into each /24.
type sweepLoad struct {
	from, to probe.Instant
	rate     map[netip.Prefix]float64
}

// NewSimulation begins to play a model.
func NewSimulation(m Model, seed uint64) *Simulation {
	if len(m.Protocols) == 0 {
		m.Protocols = []probe.Protocol{probe.ICMP}
	}
	m.Timeout = cmp.Or(m.Timeout, probe.DefaultTimeout)
	d := dice(mix(seed))
	s := &Simulation{model: m, dice: d, rng: rand.New(rand.NewPCG(seed, 2)), taken: map[netip.Addr]bool{},
		path: newSpells(d.with(1), m.Start, m.PathLoss.Share, float64(m.PathLoss.Mean.Milliseconds()))}
	for i := range m.Hosts {
		s.taken[m.Hosts[i].Address] = true
	}
	for i := range m.Hosts {
		s.hosts = append(s.hosts, newDweller(&m, i, d.with(uint64(i)+2)))
	}
	return s
}

// Model is what is played.
func (s *Simulation) Model() *Model { return &s.model }

// Aims is a full round's: every address by every protocol.
func (s *Simulation) Aims() []probe.Aim {
	var aims []probe.Aim
	for _, p := range s.model.Protocols {
		aims = append(aims, probe.Aim{Protocol: p, Targets: s.model.Space})
	}
	return aims
}

// Round sweeps aims over span from start, as a [probe.Sweeper] does. Where we are stopped meanwhile, it ends early.
func (s *Simulation) Round(kind probe.Kind, start probe.Instant, span time.Duration, aims []probe.Aim) *probe.Round {
	r := &probe.Round{
		Kind: kind, Start: start, End: start.Add(span.Milliseconds()), Span: span, Seed: s.rng.Uint64(), Seeded: true,
		Vantage: "sim", VantageOK: true, Space: s.model.Space, Timeout: s.model.Timeout, Scale: 1,
	}
	s.settle(r.End.Add(s.model.Timeout.Milliseconds() * int64(s.model.Retries+1)))
	s.burden(r, aims)
	for i := range s.model.Events {
		if e := &s.model.Events[i]; e.Effect == StopsUs && e.From > start && e.From < r.End {
			r.End = e.From
		}
	}
	plan := probe.NewPlan(r.Seed, span, aims)
	for i, aim := range aims {
		pass := probe.Pass{Protocol: aim.Protocol, Targets: aim.Targets, Unsent: s.unsent(r, plan, i)}
		for _, h := range s.hosts {
			s.ask(r, &pass, plan, i, h)
		}
		pass.Answers = slices.DeleteFunc(pass.Answers, func(a probe.Answer) bool {
			_, unsent := slices.BinarySearch(pass.Unsent, a.Target)
			return unsent
		})
		slices.SortStableFunc(pass.Answers, func(a, b probe.Answer) int { return cmp.Compare(a.Target, b.Target) })
		pass.Answers = slices.CompactFunc(pass.Answers, func(a, b probe.Answer) bool { return a.Target == b.Target })
		if s.intercepted(r) {
			s.intercept(r, &pass, plan, i)
		}
		r.Passes = append(r.Passes, pass)
	}
	s.vouch(r)
	return r
}

// ask probes a host at each address that it has during the round.
func (s *Simulation) ask(r *probe.Round, pass *probe.Pass, plan *probe.Plan, aim int, h *dweller) {
	if !slices.Contains(h.Protocols, pass.Protocol) {
		return
	}
	for k := range h.stays {
		stay := &h.stays[k]
		if stay.from >= r.End || h.leaves(k) <= r.Start {
			continue
		}
		target, ok := pass.Targets.Index(stay.addr)
		if !ok {
			continue
		}
		planned := plan.Offset(aim, target).Milliseconds()
		tries := 1
		if r.Kind == probe.Full {
			tries += s.model.Retries
		}
		for try := range tries {
			offset := planned + int64(try)*s.model.Timeout.Milliseconds()
			sent := r.Start.Add(offset)
			if sent < stay.from || sent >= h.leaves(k) || !s.answers(h, stay.addr, pass.Protocol, sent) {
				continue
			}
			pass.Answers = append(pass.Answers, s.reply(h, int32(target), int32(offset), sent))
			break
		}
	}
}

func (s *Simulation) reply(h *dweller, target, offset int32, sent probe.Instant) probe.Answer {
	d := h.dice.with(uint64(sent))
	rtt := h.RTT + time.Duration(d.below(forJitter, uint64(h.RTT/10)+1))
	a := probe.Answer{Target: target, Outcome: probe.Reply, Offset: offset, First: probe.UnknownOffset}
	if s.model.Late > 0 && d.hits(forLate, chanceOf(s.model.Late)) {
		if rtt += s.model.LateBy; rtt > s.model.Timeout {
			a.Outcome = probe.Late
		}
	}
	a.RTT = probe.QuantiseRTT(uint32(rtt.Microseconds()))
	return a
}

// answers reports whether a host at an address answers what is sent at t.
func (s *Simulation) answers(h *dweller, a netip.Addr, p probe.Protocol, t probe.Instant) bool {
	d := h.dice.with(uint64(t)<<8 ^ uint64(p.Code()))
	for i := range s.model.Events {
		if e := &s.model.Events[i]; e.at(t) && e.strikes(a) && s.silences(e, h, a, p, t, d.with(uint64(i))) {
			return false
		}
	}
	if !h.lives(t) || h.path.at(t) && lost(d, forLoss, s.model.HostLoss) || s.path.at(t) && lost(d, forPhaseLoss, s.model.PathLoss) {
		return false
	}
	return h.Spell > 0 || d.hits(forSpell, chanceOf(h.Availability))
}

func lost(d dice, why purpose, b Burst) bool {
	return b.Loss == 0 || d.hits(why, chanceOf(b.Loss))
}

// silences reports whether an event keeps a probe from being answered.
func (s *Simulation) silences(e *Event, h *dweller, a netip.Addr, p probe.Protocol, t probe.Instant, d dice) bool {
	switch e.Effect {
	case Darkens, CutsUsOff, Intercepts, StopsUs:
		return true
	case Loses:
		return d.hits(forPhaseLoss, chanceOf(e.Share))
	case Empties:
		return h.chosen(e)
	case Renumbers:
		return h.chosen(e)
	case Filters:
		return p == e.Protocol
	case Limits:
		return p.IsICMP() && d.hits(forLoss, chanceOf(1-math.Min(1, e.Rate/s.rate(a, t))))
	}
	return false
}

// burden notes what a line sends, and forgets what was sent long ago.
func (s *Simulation) burden(r *probe.Round, aims []probe.Aim) {
	if !slices.ContainsFunc(s.model.Events, func(e Event) bool { return e.Effect == Limits }) {
		return
	}
	s.load = slices.DeleteFunc(s.load, func(l sweepLoad) bool { return l.to < r.Start })
	l := sweepLoad{from: r.Start, to: r.End, rate: map[netip.Prefix]float64{}}
	for _, aim := range aims {
		if !aim.Protocol.IsICMP() {
			continue
		}
		for _, g := range aim.Targets.Groups(24) {
			l.rate[g.Prefix] = float64(g.To-g.From) / max(0.001, r.Span.Seconds())
		}
	}
	s.load = append(s.load, l)
}

// rate is how many ICMP probes a second reach the /24 of an address.
func (s *Simulation) rate(a netip.Addr, t probe.Instant) float64 {
	p, _ := a.Prefix(24) // IPv4
	sum := 0.0
	for i := range s.load {
		if l := &s.load[i]; l.from <= t && t < l.to {
			sum += l.rate[p]
		}
	}
	return max(sum, 0.001)
}

// settle moves hosts until t.
func (s *Simulation) settle(t probe.Instant) {
	for _, h := range s.hosts {
		for h.moves <= t {
			s.move(h, h.moves)
			h.moves = h.moves.Add(h.stay())
		}
		for len(h.renumbers) > 0 && h.renumbers[0] <= t {
			s.move(h, h.renumbers[0])
			h.renumbers = h.renumbers[1:]
		}
	}
}

// move gives a host another address of its /24, where one is free.
func (s *Simulation) move(h *dweller, at probe.Instant) {
	was := h.stays[len(h.stays)-1].addr
	home, _ := was.Prefix(24) // IPv4
	first, ok := s.model.Space.Index(home.Addr())
	if !ok {
		return
	}
	const tries = 64
	for range tries {
		a := s.model.Space.Addr(min(first+h.rng.IntN(256), s.model.Space.Len()-1))
		if s.taken[a] || !home.Contains(a) {
			continue
		}
		delete(s.taken, was)
		s.taken[a] = true
		if len(h.stays) > 8 {
			h.stays = slices.Delete(h.stays, 0, 4)
		}
		h.stays = append(h.stays, stay{from: at, addr: a})
		return
	}
}

package store

import (
	"iter"
	"net/netip"
	"slices"
	"time"

	"brownout/probe"
)

// Sighting is what became of one address's probe by one protocol in one round.
type Sighting struct {
	Start     probe.Instant // of the round
	Kind      probe.Kind
	Vantage   string
	VantageOK bool // false: silence does not count
	Protocol  probe.Protocol
	Outcome   probe.Outcome
	Sent      probe.Instant // of the deciding attempt; of a timeout the first
	SentKnown bool
	RTT       uint32 // microseconds; 0: none, or unknown
	Type      uint8  // of an ICMP error
	Code      uint8
	From      netip.Addr
}

// Address yields what became of addr in the rounds that start from from on and before to, by start, the newest first if
// asked for, and by protocol. Rounds that were not aimed at it yield nothing. An error ends it. Rounds in packs are not put
// together for it.
func (s *Store) Address(addr netip.Addr, from, to probe.Instant, newestFirst bool) iter.Seq2[*Sighting, error] {
	l := lookout{addr: addr.Unmap()}
	return func(yield func(*Sighting, error) bool) {
		for e, err := range s.walk(from, to, newestFirst) {
			if err == nil {
				err = l.look(e)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range l.seen {
				if !yield(&l.seen[i], nil) {
					return
				}
			}
		}
	}
}

// lookout watches one address.
type lookout struct {
	addr  netip.Addr
	group *packGroup // that aims are of
	aims  []aim
	plan  *probe.Plan // of when they are asked
	near  []nearby
	seen  []Sighting // in the latest round
}

// nearby is where the address is among targets: passes and packs mostly have the same.
type nearby struct {
	targets, group probe.Space
	within         int
}

// aim is a pass of a group that is aimed at the address.
type aim struct {
	pass    int
	service int // -1: it never answered in the pack
	within  int // the place in its group of targets
}

// look finds what became of the address in a round.
func (l *lookout) look(e *entry) error {
	l.seen = l.seen[:0]
	if e.pack == nil || e.pack.group[e.i] == 0 {
		rec, err := e.record()
		if err != nil {
			return err
		}
		l.inRound(rec.round)
		return nil
	}
	if err := l.inGroup(e.pack.groups[e.pack.group[e.i]-1], e.pack.within[e.i], e.key); err != nil {
		return damagedRecord(bucketRounds, e.pack.first.bytes(), err)
	}
	return nil
}

func (l *lookout) inGroup(g *packGroup, j int, k key) error {
	if l.group != g {
		if err := l.take(g); err != nil {
			return err
		}
	}
	seeded := g.flags[j]&flagSeeded != 0
	if seeded {
		l.plan.Reseed(g.seeds[j])
	}
	for i, a := range l.aims {
		seen := Sighting{
			Start: k.start, Kind: k.kind, Vantage: g.fr.vantage, VantageOK: g.flags[j]&flagVantageBad == 0,
			Protocol: g.fr.passes[a.pass].protocol, Outcome: probe.Timeout,
		}
		var planned int32
		if seeded {
			planned = int32(l.plan.Offset(i, a.within) / time.Millisecond)
			seen.Sent, seen.SentKnown = k.start.Add(int64(planned)), true
		}
		if a.service >= 0 && g.codes[a.service*len(g.flags)+j] != 0 {
			if g.fr.span == 0 {
				planned = 0 // the codec goes by no plan then
			}
			answer, err := g.answer(a.service, j, planned)
			if err != nil {
				return err
			}
			seen.answered(&answer)
		}
		l.seen = append(l.seen, seen)
	}
	return nil
}

// take finds the passes of a group that are aimed at the address. When they ask it follows from the seed and from the /24
// that it is in alone, as [probe.Plan] says.
func (l *lookout) take(g *packGroup) error {
	l.group, l.aims = g, l.aims[:0]
	var aims []probe.Aim
	for i, targets := range g.target {
		index, ok := targets.Index(l.addr)
		if !ok {
			continue
		}
		near, err := l.nearby(targets, index)
		if err != nil {
			return err
		}
		services := g.index[g.first[i]:g.first[i+1]]
		service, found := slices.BinarySearch(services, int32(index))
		if service += g.first[i]; !found {
			service = -1
		}
		l.aims = append(l.aims, aim{i, service, near.within})
		aims = append(aims, probe.Aim{Protocol: g.fr.passes[i].protocol, Targets: near.group})
	}
	l.plan = probe.NewPlan(0, g.fr.span, aims)
	return nil
}

// nearby finds a plan's group of targets.
func (l *lookout) nearby(targets probe.Space, index int) (nearby, error) {
	for _, n := range l.near {
		if n.targets.Equal(targets) {
			return n, nil
		}
	}
	for _, part := range targets.Groups(24) {
		if index < part.From || index >= part.To {
			continue
		}
		var addrs []netip.Addr
		for i := part.From; i < part.To; i++ {
			addrs = append(addrs, targets.Addr(i))
		}
		group, err := probe.SpaceOfAddrs(addrs...)
		n := nearby{targets, group, index - part.From}
		l.near = append(l.near, n)
		return n, err
	}
	return nearby{}, errTarget
}

// inRound finds what became of the address in a round that stands alone.
func (l *lookout) inRound(r *probe.Round) {
	for i := range r.Passes {
		if target, ok := r.Passes[i].Targets.Index(l.addr); ok {
			l.seen = append(l.seen, SightingOf(r, i, int32(target)))
		}
	}
}

// SightingOf is what became of a target of pass i.
func SightingOf(r *probe.Round, i int, target int32) Sighting {
	w := r.Witness()
	outcome, answer, offset, trusted := w.Of(i, target)
	seen := Sighting{Start: r.Start, Kind: r.Kind, Vantage: r.Vantage, VantageOK: trusted, Protocol: r.Passes[i].Protocol, Outcome: outcome}
	if answer != nil {
		seen.answered(answer)
	} else if offset != probe.UnknownOffset {
		seen.Sent, seen.SentKnown = r.Start.Add(int64(offset)), true
	}
	return seen
}

// answered takes in an answer, whose send time says more than the plan.
func (s *Sighting) answered(a *probe.Answer) {
	s.Outcome, s.RTT, s.Type, s.Code, s.From = a.Outcome, a.RTT, a.Type, a.Code, a.From
	s.SentKnown = a.Offset != probe.UnknownOffset
	s.Sent = 0
	if s.SentKnown {
		s.Sent = s.Start.Add(int64(a.Offset))
	}
}

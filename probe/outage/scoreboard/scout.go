package main

import (
	"math/rand/v2"
	"net/netip"

	"brownout/probe"
)

// scout asks for Trinocular, of one /24, all that a round may ask for: what of it is used is up to the belief.
type scout struct {
	block        netip.Prefix
	next         probe.Instant // when a round begins
	learned      probe.Instant
	active       []netip.Addr // E(b), in the order of probing
	turn         int          // the next of them
	availability float64
	rounds       []scouting
}

func newScout(block netip.Prefix, start probe.Instant) *scout {
	return &scout{block: block, next: start}
}

const (
	trinocularActive = 15 // addresses, or the /24 is not judged
	trinocularLeast  = 0.1
)

// scout probes up to the end of one of our rounds, which must be the simulation's latest. What we could not send, it
// could not.
func (x *scout) scout(r *recorder, s *sweep) {
	for x.next < s.start {
		x.next = x.next.Add(trinocularRound) // we were stopped
	}
	if s.start-x.learned >= day {
		x.learn(r)
		x.learned = s.start
	}
	for ; x.next.Add(trinocularBudget*trinocularPace) <= s.end; x.next = x.next.Add(trinocularRound) {
		if s.whole {
			x.rounds = append(x.rounds, x.round(r))
		}
	}
}

func (x *scout) round(r *recorder) scouting {
	out := scouting{at: x.next, availability: x.availability}
	out.judged = len(x.active) >= trinocularActive && x.availability >= trinocularLeast
	if !out.judged {
		return out
	}
	for n := range trinocularBudget {
		x.turn = (x.turn + 1) % len(x.active)
		if answers(r, x.active[x.turn], x.next.Add(int64(n)*trinocularPace)) {
			out.replies |= 1 << n
		}
	}
	return out
}

// answers reports whether an address answers by any protocol; it counts as one probe, in Trinocular's favour.
func answers(r *recorder, a netip.Addr, t probe.Instant) bool {
	for _, p := range r.sim.Model().Protocols {
		if r.sim.Answers(a, p, t) {
			return true
		}
	}
	return false
}

// learn takes E(b) and A(E(b)) from the rounds of the last seven days in which the /24 lived.
func (x *scout) learn(r *recorder) {
	replies := map[uint16]int{}
	all, lived := 0, 0
	for i := len(r.sweeps) - 1; i >= 0 && r.sweeps[i].start > r.sweeps[len(r.sweeps)-1].start-week; i-- {
		before := all
		for _, a := range r.sweeps[i].answered {
			if x.block.Contains(r.addresses[a]) {
				replies[a]++
				all++
			}
		}
		if all > before {
			lived++
		}
	}
	x.active = x.active[:0]
	for i, a := range r.addresses {
		if replies[uint16(i)] > 0 {
			x.active = append(x.active, a)
		}
	}
	x.availability = float64(all) / max(float64(len(x.active)*lived), 1)
	rng := rand.New(rand.NewPCG(uint64(x.next), 1))
	rng.Shuffle(len(x.active), func(i, j int) { x.active[i], x.active[j] = x.active[j], x.active[i] })
}

package main

import "brownout/probe"

// trinocular is Quan, Heidemann & Pradkin, "Trinocular", SIGCOMM 2013, as CAIDA's trinarkular runs it for IODA: a belief
// per /24 that it is up, moved by every probe as Bayes says, with P(reply|up) = A(E(b)) and P(reply|down) = 0.99/256, held
// within [0.01, 0.99]. Every 11 minutes an address is asked, and up to 14 more, 3 s apart, while the belief moves away
// from a conclusion or has none; if they do not suffice, it is 0.5. Below 0.1 the /24 is down, above 0.9 up. A /24 that is
// down is asked on until 99 % of those that came back would have answered: more than the paper's recovery probes. A /24 is
// judged if 15 addresses or more were ever active and A >= 0.1; a smaller one it abstains from, and no waiver makes its
// statistics work. E(b) and A, theirs from two years of censuses, are learned anew every day from our last seven. The
// space is total when all /24s that are judged are down, partial when some are.
//
// Published: 0.1. Knob: the belief below which a /24 is down, and rounds in a row; the belief is then held to a tenth of
// that, if that is less than 0.01.
func trinocular() peer {
	return peer{
		name: "Trinocular", unit: "belief", published: setting{level: 0.1, inRow: 1, published: true},
		levels: []float64{1e-9, 1e-6, 1e-4, 1e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5}, inRow: []int{1, 2, 3}, judge: judgeTrinocular,
	}
}

const (
	trinocularRound  = 660_000 // milliseconds
	trinocularBudget = 15      // probes a round and /24
	trinocularPace   = 3_000   // milliseconds from one to the next: its timeout
)

func judgeTrinocular(y *year, at setting) judgement {
	e := episodes{inRow: at.inRow}
	j := judgement{}
	beliefs := make([]belief, len(y.scouts))
	for k := range rounds(y.scouts) {
		g, probes := glimpse(y.scouts, beliefs, k, at.level)
		if j.probes += probes; probes > 0 {
			e.put(g)
		}
	}
	j.verdicts = e.verdicts()
	return j
}

// glimpse takes in the k-th round of all /24s. It takes no probes where none is judged.
func glimpse(scouts []*scout, beliefs []belief, k int, downBelow float64) (g glance, probes int64) {
	g.over, g.nobody = true, true
	for i, s := range scouts {
		r, b := s.rounds[k], &beliefs[i]
		g.start, g.end = r.at, r.at
		if !r.judged {
			*b = belief{}
			continue
		}
		probes += int64(b.update(r, downBelow))
		down := b.up() < downBelow
		g.low, g.over, g.nobody = g.low || down, g.over && b.up() > 0.9, g.nobody && down
	}
	return g, probes
}

func rounds(scouts []*scout) int {
	if len(scouts) == 0 {
		return 0
	}
	return len(scouts[0].rounds)
}

// belief is that a /24 is down: 0 stands for the beginning, 0.01.
type belief struct{ down float64 }

func (b *belief) up() float64 { return 1 - b.down }

// update takes in a round's probes, as many as it takes, and returns their number.
func (b *belief) update(r scouting, downBelow float64) int {
	const unrecovered = 0.01
	floor := min(0.01, downBelow/10)
	b.down = max(b.down, 0.01)
	missed := 1.0 // the chance that so many probes miss a /24 that is up
	for n := range trinocularBudget {
		before := b.up()
		b.probe(r.replies&(1<<n) != 0, r.availability, floor)
		missed *= 1 - r.availability
		stillDown := before < downBelow && b.up() < downBelow
		if !b.doubts(before, downBelow) && !(stillDown && missed > unrecovered) {
			return n + 1
		}
	}
	if b.up() < downBelow {
		return trinocularBudget
	}
	b.down = 0.5
	return trinocularBudget
}

// probe moves the belief by one answer.
func (b *belief) probe(reply bool, availability, floor float64) {
	const fluke = 0.99 / 256 // P(reply|down)
	ifUp, ifDown := availability, fluke
	if !reply {
		ifUp, ifDown = 1-availability, 1-fluke
	}
	down := b.down * ifDown
	b.down = min(max(down/(down+b.up()*ifUp), 0.01), 1-floor)
}

// doubts reports whether the belief moves away from a conclusion, or has none.
func (b *belief) doubts(before, downBelow float64) bool {
	switch up := b.up(); {
	case before > 0.9:
		return up < before && up >= downBelow
	case before < downBelow:
		return up > before && up <= 0.9
	default:
		return up >= downBelow && up <= 0.9
	}
}

// scouting is what a /24 would answer to one round of Trinocular's.
type scouting struct {
	at           probe.Instant
	judged       bool
	availability float64 // A(E(b))
	replies      uint16  // to the first probe, the second ...: from the lowest bit
}

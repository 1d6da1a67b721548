package main

import "brownout/probe"

// richter is Richter et al., "Advancing the Art of Internet Edge Outage Detection", IMC 2018. Below 0.5 times the minimum
// of the last 168 hours a disruption begins, and it is over at 0.8 times that; until a whole week has stayed above that
// again, the minimum is frozen, and what goes on for over two weeks in this way is dropped as no disruption. It tells
// entire disruptions (nothing active) from partial ones, and so do we. Its bins are hours of a CDN's requests; here they
// are rounds. A block needs 40 active addresses; that is waived. It looks back from a week later; it is taken to declare
// at once.
//
// Published: 0.5. Knob: that factor, the other being the greater of it and 0.8, and rounds in a row.
func richter() peer {
	return peer{
		name: "Richter", unit: "x min", published: setting{level: 0.5, inRow: 1, published: true},
		levels: steps(0.4, 1.1, 29), inRow: []int{1, 2, 3}, judge: judgeRichter,
	}
}

func judgeRichter(y *year, at setting) judgement {
	r := edge{start: at.level, end: max(at.level, 0.8), inRow: at.inRow}
	for s := range y.whole() {
		r.put(s)
	}
	return judgement{append(r.said, r.unsteady.verdicts()...), y.fullProbes}
}

// edge is the state of one block.
type edge struct {
	start, end float64
	inRow      int
	last       window
	said       []verdict

	frozen   float64 // the minimum while unsteady; 0: it is steady
	since    probe.Instant
	lowAt    probe.Instant // when it was last below the end's threshold
	unsteady episodes
}

func (r *edge) put(s *sweep) {
	count := float64(s.count())
	full := r.last.full(s.start)
	least := float64(0)
	if full {
		least = float64(r.last.least())
	}
	r.last.put(s.start, s.count())
	if r.frozen == 0 && full && count < r.start*least {
		r.frozen, r.since = least, s.start
		r.unsteady.inRow = r.inRow
	}
	if r.frozen == 0 {
		r.unsteady.put(glanceAt(s, false, true)) // so that a start knows the round before
		return
	}
	r.judge(s, count)
}

// judge takes in a round of an unsteady time.
func (r *edge) judge(s *sweep, count float64) {
	const tooLong = 2 * week
	low, over := count < r.start*r.frozen, count >= r.end*r.frozen
	if !over {
		r.lowAt = s.start
	}
	r.unsteady.put(glanceAt(s, low, over))
	switch {
	case s.start-r.lowAt >= week:
		r.said = append(r.said, r.unsteady.verdicts()...)
	case s.start-r.since < tooLong:
		return
	}
	r.frozen, r.unsteady = 0, episodes{}
}

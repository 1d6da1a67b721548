package main

// setting is where a peer's knob stands.
type setting struct {
	level     float64
	inRow     int  // low rounds before it speaks
	published bool // with whatever the source asks for besides
}

// peer is somebody's rule.
type peer struct {
	name      string
	unit      string // of the level; none where there is none
	published setting
	levels    []float64 // to choose from
	inRow     []int
	judge     func(*year, setting) judgement
}

// settings is all that the knob can be set to.
func (p *peer) settings() []setting {
	var out []setting
	for _, n := range p.inRow {
		for _, level := range p.levels {
			out = append(out, setting{level: level, inRow: n})
		}
	}
	return out
}

// peers is all of them, in the order of the columns.
func peers() []peer {
	return []peer{trinocular(), ioda(), richter(), thunderPing(), chocolatine(), zeroReplies(), fixedHalf()}
}

// steps is n levels from one to another.
func steps(from, to float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = from + (to-from)*float64(i)/float64(n-1)
	}
	return out
}

// glanceAt is a full round, to be judged.
func glanceAt(s *sweep, low, over bool) glance {
	return glance{start: s.start, end: s.end, low: low, over: over, nobody: s.count() == 0}
}

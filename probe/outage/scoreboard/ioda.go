package main

import "brownout/probe"

// ioda is the alerting of IODA (CAIDA, watchtower-sentry: filter MovingStat, sink AlertKafka): a value below 0.8 times the
// median of seven days is an alert. While it lasts the history takes the prediction for the value, for at most seven
// days; then the new level is normal. IODA's value is the number of /24s that Trinocular finds up; of four that would
// tell nothing, so here it is the number of addresses.
//
// Published: 0.8. Knob: the factor, and rounds in a row (its minduration).
func ioda() peer {
	return peer{
		name: "IODA", unit: "x median", published: setting{level: 0.8, inRow: 1, published: true},
		levels: steps(0.3, 1, 29), inRow: []int{1, 2, 3}, judge: judgeIODA,
	}
}

func judgeIODA(y *year, at setting) judgement {
	e := episodes{inRow: at.inRow}
	m := inpainted{least: at.level}
	for s := range y.whole() {
		low, known := m.put(s.start, s.count())
		if known {
			e.put(glanceAt(s, low, !low))
		}
	}
	return judgement{e.verdicts(), y.fullProbes}
}

// inpainted is a moving median that keeps extremes out of its history.
type inpainted struct {
	least   float64 // of the median; below is extreme
	history window
	raw     *window // since the extremes began
}

// put reports whether a count is extreme, and whether that is known yet.
func (m *inpainted) put(t probe.Instant, count int) (low, known bool) {
	if !m.history.full(t) {
		m.history.put(t, count)
		return false, false
	}
	median := m.history.median()
	if low = float64(count) < m.least*float64(median); !low {
		m.raw = nil
		m.history.put(t, count)
		return false, true
	}
	if m.raw == nil {
		m.raw = &window{}
	}
	if m.raw.full(t) {
		m.history, m.raw = *m.raw, nil // it is the new normal
		return m.put(t, count)
	}
	m.raw.put(t, count)
	m.history.put(t, median)
	return true, true
}

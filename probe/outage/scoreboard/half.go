package main

// fixedHalf is what a monitoring system does that was configured once: it alarms when fewer than a share of the hosts
// answer. The hosts are as many as the median of the first week; a host with a new address counts on, in its favour.
//
// Published: 50 %. Knob: the share, and rounds in a row.
func fixedHalf() peer {
	return peer{
		name: "fixed 50 %", unit: "x hosts", published: setting{level: 0.5, inRow: 1, published: true},
		levels: steps(0.3, 1, 29), inRow: []int{1, 2, 3}, judge: judgeHalf,
	}
}

func judgeHalf(y *year, at setting) judgement {
	e := episodes{inRow: at.inRow}
	var first window
	hosts := 0.0
	for s := range y.whole() {
		if !first.full(s.start) {
			first.put(s.start, s.count())
			hosts = float64(first.median())
			continue
		}
		low := float64(s.count()) < at.level*hosts
		e.put(glanceAt(s, low, !low))
	}
	return judgement{e.verdicts(), y.fullProbes}
}

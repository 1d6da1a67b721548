package main

// zeroReplies is what a script does that pings everything: the space is out when nothing answers. It knows no partial.
//
// Published: one round. Knob: rounds in a row.
func zeroReplies() peer {
	return peer{
		name: "zero replies", published: setting{level: 0, inRow: 1, published: true},
		levels: []float64{0}, inRow: []int{1, 2, 3}, judge: judgeZero,
	}
}

func judgeZero(y *year, at setting) judgement {
	e := episodes{inRow: at.inRow}
	for s := range y.whole() {
		e.put(glanceAt(s, s.count() == 0, s.count() > 0))
	}
	return judgement{e.verdicts(), y.fullProbes}
}

package main

import (
	"math"
	"slices"

	"brownout/probe"
)

// chocolatine is a seasonal forecast after Guillot et al., "Chocolatine", TMA 2019: a value below the forecast's band is an
// outage, and the forecast stands in for it in the history. Theirs is a seasonal ARIMA of unsolicited traffic; ours is the
// simplest of the family: the median of the last seven days at this time of day, and of the last residual as much as the
// residuals' own correlation says. The band is so many standard deviations of a week's residuals.
//
// Published: 2.05, which a normal residual exceeds by the 2 % of false positives of their operating point. Knob: that
// number, and rounds in a row.
func chocolatine() peer {
	return peer{
		name: "as Chocolatine", unit: "sigma", published: setting{level: 2.05, inRow: 1, published: true},
		levels: steps(1.5, 12, 43), inRow: []int{1, 2, 3}, judge: judgeChocolatine,
	}
}

func judgeChocolatine(y *year, at setting) judgement {
	e := episodes{inRow: at.inRow}
	f := forecast{slots: make([][]float64, day/y.cadence.Round.Milliseconds()+1), width: y.cadence.Round.Milliseconds()}
	for s := range y.whole() {
		low, known := f.put(s.start, float64(s.count()), at.level)
		if known {
			e.put(glanceAt(s, low, !low))
		}
	}
	return judgement{e.verdicts(), y.fullProbes}
}

// forecast is a model of counts by the time of day.
type forecast struct {
	width     int64       // of a slot, milliseconds
	slots     [][]float64 // of the day: the last seven days' counts
	residuals []float64   // of the last week, in order
	squares   float64     // sums over the residuals
	products  float64     // of each with its successor
	since     probe.Instant
	lowSince  probe.Instant // 0: it is not low
}

// put reports whether a count is below the band, and whether that is known yet.
func (f *forecast) put(t probe.Instant, count, sigmas float64) (low, known bool) {
	if f.since == 0 {
		f.since = t
	}
	slot := &f.slots[int64(t)%day/f.width]
	season := count
	if len(*slot) > 0 {
		season = middle(*slot)
	}
	predicted := season + f.carried()
	known = t-f.since >= week
	low = known && count < predicted-sigmas*f.deviation()
	if !f.believes(t, low) {
		count = predicted
	} else {
		f.learn(count - season)
	}
	*slot = append(*slot, count)
	*slot = (*slot)[max(0, len(*slot)-7):]
	return low, known
}

// believes reports whether a value goes into the history as it is: the normal ones, and those of what has been low for a
// week.
func (f *forecast) believes(t probe.Instant, low bool) bool {
	if !low {
		f.lowSince = 0
		return true
	}
	if f.lowSince == 0 {
		f.lowSince = t
	}
	return t-f.lowSince >= week
}

// carried is how much of the last residual is expected again.
func (f *forecast) carried() float64 {
	if len(f.residuals) < 2 || f.lowSince != 0 || f.squares == 0 {
		return 0
	}
	return f.residuals[len(f.residuals)-1] * f.products / f.squares
}

// deviation is the standard deviation of what is forecast; half an address where all is still.
func (f *forecast) deviation() float64 {
	if len(f.residuals) < 2 || f.squares == 0 {
		return 0.5
	}
	phi := f.products / f.squares
	return max(0.5, math.Sqrt(f.squares/float64(len(f.residuals))*max(0, 1-phi*phi)))
}

func (f *forecast) learn(residual float64) {
	if n := len(f.residuals); n > 0 {
		f.products += residual * f.residuals[n-1]
	}
	f.residuals = append(f.residuals, residual)
	f.squares += residual * residual
	for int64(len(f.residuals))*f.width > week {
		f.squares -= f.residuals[0] * f.residuals[0]
		f.products -= f.residuals[0] * f.residuals[1]
		f.residuals = f.residuals[1:]
	}
}

// middle is the median of a few values.
func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

package probe

import "slices"

// Witness says what a round knows of single targets.
type Witness struct {
	r    *Round
	plan *Plan // nil: not made yet
}

// Witness is that of a round.
func (r *Round) Witness() Witness { return Witness{r: r} }

// Of is what became of the probe of a pass's target: its outcome and, where there is one, its answer; when the attempt that
// decides it was sent, in milliseconds after the start, or [UnknownOffset]; and whether its silence would count, for somebody
// vouched for our own connectivity.
func (w *Witness) Of(pass int, target int32) (o Outcome, answer *Answer, offset int32, trusted bool) {
	p := &w.r.Passes[pass]
	unsent, never := slices.BinarySearch(p.Unsent, target)
	if never {
		return Unsent, nil, UnknownOffset, w.r.VantageOK
	}
	at, answered := slices.BinarySearchFunc(p.Answers, target, func(a Answer, t int32) int { return int(a.Target - t) })
	if answered {
		answer = &p.Answers[at]
		o, offset = answer.Outcome, answer.Offset
	} else {
		o, offset = Timeout, w.silent(pass, target, unsent+at)
	}
	return o, answer, offset, w.r.VantageOK && !w.r.blind(offset)
}

// silent is when a silent target was first asked: as recorded, else as planned. So many others before it were not silent.
func (w *Witness) silent(pass int, target int32, others int) int32 {
	if ms := w.r.Passes[pass].SilentMS; len(ms) > 0 {
		return ms[int(target)-others]
	}
	if !w.r.Seeded {
		return UnknownOffset
	}
	return w.planned(pass, target)
}

// planned is when the plan of a seeded round has a target.
func (w *Witness) planned(pass int, target int32) int32 {
	if w.plan == nil {
		w.plan = w.r.Plan()
	}
	return int32(w.plan.Offset(pass, int(target)).Milliseconds())
}

// blind reports whether nobody vouched for our own connectivity at an offset.
func (r *Round) blind(offset int32) bool {
	return offset != UnknownOffset && slices.ContainsFunc(r.VantageBad, func(w Window) bool {
		return int64(offset) >= w.From && int64(offset) < w.To
	})
}

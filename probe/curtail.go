package probe

import "slices"

// Curtail makes a round that was broken off end at a moment up to which it is known who was silent, where sending went on
// beyond it. Who was silent to what was sent later, or in flight, is not known: that is unsent, as what was not yet sent is. But
// whoever answered, answered, also to what was sent after the end.
func (r *Round) Curtail(at Instant) {
	if r.End.Add(PlanTolerance.Milliseconds()) < at {
		return
	}
	w := r.Witness()
	passes := make([]Pass, len(r.Passes))
	for i := range r.Passes {
		passes[i] = w.upTo(i, int64(at-r.Start))
	}
	r.Passes, r.End = passes, max(r.Start, min(r.End, at))
}

// upTo is a pass without the silence to what was sent so many milliseconds after the start, or later. What changes of it is a
// copy.
func (w *Witness) upTo(pass int, ms int64) Pass {
	p := w.r.Passes[pass]
	lost := slices.Clone(p.Unsent)
	var kept []int32 // of the send times of the silent
	k := 0
	for target := range p.Silent() {
		offset := w.silent(pass, target, int(target)-k)
		k++
		if w.sentBy(pass, target, offset) >= ms {
			lost = append(lost, target)
		} else if len(p.SilentMS) > 0 {
			kept = append(kept, offset)
		}
	}
	p.Answers = slices.DeleteFunc(slices.Clone(p.Answers), func(a Answer) bool {
		out := a.Outcome.Silence() && w.sentBy(pass, a.Target, a.Offset) >= ms
		if out {
			lost = append(lost, a.Target)
		}
		return out
	})
	slices.Sort(lost)
	p.Unsent, p.SilentMS = lost, kept
	return p
}

// sentBy is the latest that a silent attempt can have been sent, in milliseconds after the start, by what is recorded of it.
func (w *Witness) sentBy(pass int, target, offset int32) int64 {
	switch {
	case offset == UnknownOffset:
		return int64(w.r.End - w.r.Start)
	case w.r.Seeded && offset == w.planned(pass, target):
		return int64(offset) + PlanTolerance.Milliseconds()
	}
	return int64(offset)
}

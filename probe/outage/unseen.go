package outage

import (
	"cmp"
	"slices"

	"brownout/probe"
)

// turnBad judges that our own sight turned bad. Windows of two lines may overlap.
func (d *Detector) turnBad(at probe.Instant) {
	if d.Blind++; d.Blind > 1 {
		return
	}
	d.addUnseen(Unseen{From: at, Reason: reasonVantage, Block: everywhere})
	for i := range d.Parts {
		d.tell(&d.Parts[i], Unknown, at, at, reasonVantage)
	}
}

// turnGood judges that it turned good again.
func (d *Detector) turnGood(at probe.Instant) {
	if d.Blind--; d.Blind > 0 {
		return
	}
	for i := range d.Unseen {
		if d.Unseen[i].To == 0 {
			d.Unseen[i].To = at
		}
	}
	for i := range d.Parts {
		s, _, reason := d.verdict(&d.Parts[i])
		d.tell(&d.Parts[i], s, at, at, reason)
	}
}

// stayBlind judges, as a line begins, that nothing has been seen since our own sight was bad: it was bad until now.
func (d *Detector) stayBlind(at probe.Instant) {
	if d.Blind > 0 {
		return
	}
	var since probe.Instant
	for _, u := range d.Unseen {
		if u.Reason == reasonVantage {
			since = max(since, u.To)
		}
	}
	if d.Sighted < since {
		d.miss(Unseen{From: since, To: at, Reason: reasonVantage, Block: everywhere}, at)
	}
}

// miss records a time of which we find out later that we did not see it.
func (d *Detector) miss(u Unseen, at probe.Instant) {
	if u.From >= u.To {
		return
	}
	d.addUnseen(u)
	for i := range d.Parts {
		b := &d.Parts[i]
		switch {
		case u.Block != everywhere && u.Block != b.Index:
		case b.Since < u.From:
			d.say(b, u.From, at)
		default:
			d.say(b, b.Since, at)
		}
	}
}

// addUnseen keeps the list in order, and as short as corrections backwards need it: what goes on is one time, and every block has
// room for some.
func (d *Detector) addUnseen(u Unseen) {
	for i := range d.Unseen {
		old := &d.Unseen[i]
		if old.Reason == u.Reason && old.Block == u.Block && old.To != 0 && u.To != 0 && old.From <= u.From && u.From <= old.To {
			old.To = max(old.To, u.To)
			return
		}
	}
	remembered := 256 + 4*len(d.Parts)
	if len(d.Unseen) >= remembered {
		d.Unseen = slices.Delete(d.Unseen, 0, remembered/2)
	}
	d.Unseen = append(d.Unseen, u)
	slices.SortStableFunc(d.Unseen, func(a, b Unseen) int { return cmp.Compare(a.From, b.From) })
}

// unseenOf is a block's times unseen, in order and apart from each other.
func (d *Detector) unseenOf(b *block) []Unseen {
	return d.unseenIn(b.Index)
}

// unseenIn is the same of several blocks together, by their indices.
func (d *Detector) unseenIn(blocks ...int32) []Unseen {
	var out []Unseen
	for _, u := range d.Unseen {
		if u.Block != everywhere && !slices.Contains(blocks, u.Block) {
			continue
		}
		if n := len(out); n > 0 && (out[n-1].To == 0 || out[n-1].To >= u.From) {
			if out[n-1].To != 0 && (u.To == 0 || u.To > out[n-1].To) {
				out[n-1].To = u.To
			}
			continue
		}
		out = append(out, u)
	}
	return out
}

// unseenAt is the time unseen of a block that holds a moment; nil where none does.
func (d *Detector) unseenAt(b *block, t probe.Instant) *Unseen {
	for _, u := range d.unseenOf(b) {
		if u.From <= t && (u.To == 0 || t < u.To) {
			return &u
		}
	}
	return nil
}

// unseenNow is the time unseen that lasts, or that the last look was: it is not over before the next; nil where there is
// none.
func (d *Detector) unseenNow(b *block) *Unseen {
	_, since, _ := d.verdict(b)
	for _, u := range d.unseenOfVerdict(b) {
		if u.To == 0 || u.To >= d.Covered && u.To > since {
			return &u
		}
	}
	return nil
}

// missRound records what a full round that ended did not see, though it was there to look. Where nothing was seen since the
// last that did not either, up to covered, that is one time.
func (d *Detector) missRound(r *probe.Round, covered, seen probe.Instant) {
	if d.TooFast == 0 && !slices.ContainsFunc(r.Passes, func(p probe.Pass) bool { return len(p.Unsent) > 0 }) {
		return
	}
	due, unsent := d.dueAndUnsent(r)
	lost := func(b int, reason string) {
		from := r.Start
		for _, u := range d.Unseen {
			if u.Reason == reason && u.Block == int32(b) && u.To >= covered {
				from = min(from, u.To)
			}
		}
		d.miss(Unseen{From: from, To: r.End, Reason: reason, Block: int32(b)}, seen)
	}
	for b := range d.Parts {
		if due[b] > 0 && 2*unsent[b] > due[b] {
			lost(b, reasonUnsent)
		}
	}
	if due[0] > 0 && 2*d.TooFast > due[0] { // whoever answered, it was not the space
		lost(everywhere, reasonMiddlebox)
	}
}

// dueAndUnsent counts, for each block, the services with a baseline that a round was to probe, and those of them that we
// failed to. What a round that was cut short did not come to is neither, and so is what it only may have come to: the silence
// of that was taken back with its end, see [probe.Round.Curtail].
func (d *Detector) dueAndUnsent(r *probe.Round) (due, unsent []int) {
	var plan *probe.Plan
	if r.Seeded && !d.Distrust && r.Span > 0 {
		plan = r.Plan()
	}
	reached := int64(r.End - r.Start)
	if reached < r.Span.Milliseconds() {
		reached -= max(probe.PlanTolerance.Milliseconds(), r.Slack)
	}
	due, unsent = make([]int, len(d.Parts)), make([]int, len(d.Parts))
	for i := range d.Services {
		s := &d.Services[i]
		k := passBy(r, s.Code)
		if !s.Reliable || k < 0 {
			continue
		}
		p, h := &r.Passes[k], &d.Hosts[s.Host]
		target, ok := p.Targets.Index(h.Addr)
		if !ok || plan != nil && plan.Offset(k, target).Milliseconds() >= reached {
			continue
		}
		_, failed := slices.BinarySearch(p.Unsent, int32(target))
		for _, b := range blocksOf(h) {
			due[b]++
			if failed {
				unsent[b]++
			}
		}
	}
	return due, unsent
}

// glimpse records, as a block's first life after silence comes in, that it was dark when it was looked at, for less time than makes
// an outage, and that no other look was had for so long that it may have been one.
func (d *Detector) glimpse(b *block, e *event) {
	a := &d.Areas[b.Index]
	if b.State != Up || a.Weight < certain || int64(e.from-a.Lived) < max(d.MedianGap, d.longEnough()) {
		return
	}
	looked := int64(a.Run[len(a.Run)-1].To - a.First)
	if looked < d.longEnough() && b.Observable && d.askedAll(b, a.First) && !d.explained(b) {
		d.miss(Unseen{From: a.Lived, To: e.from, Reason: reasonGlimpse, Block: b.Index}, e.Seen)
	}
}

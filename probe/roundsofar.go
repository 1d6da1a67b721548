package probe

import (
	"math"
	"slices"
	"time"
)

// readMargin is how long, in real time, a packet may lie unread before the watermark passes it.
const readMargin = 250 * time.Millisecond

// Round is the round so far, a copy, and the watermark: every observation still to come is seen after decided. What is in
// flight or not yet sent is Unsent in it. The watermark never goes back. After Done the round is final.
func (w *Sweep) Round() (r *Round, decided Instant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	cfg := &w.sweeper.cfg
	start := InstantOf(w.origin)
	r = &Round{
		Kind: w.order.Kind, Start: start, End: start.Add(int64(w.end)),
		Span: w.order.Span, Seed: w.order.Seed, Seeded: true,
		Vantage: w.order.Vantage, VantageOK: true, Slack: (w.slack * time.Duration(cfg.Clock.Scale())).Milliseconds(),
		Space: w.order.Space, Timeout: cfg.Timeout, Scale: cfg.Clock.Scale(),
	}
	for aim := range w.order.Aims {
		r.Passes = append(r.Passes, w.pass(aim))
	}
	return r, w.watermark()
}

// watermark moves the watermark on: to a margin before now, and short of every timeout still to be seen.
func (w *Sweep) watermark() Instant {
	clock := w.sweeper.cfg.Clock
	now := clock.Now().Sub(w.origin)
	mark := floorMS(now - readMargin*time.Duration(clock.Scale()))
	if w.sending {
		// What is sent from now on may be recorded as planned, up to PlanTolerance before.
		mark = min(mark, floorMS(now-PlanTolerance)+w.timeoutMS()-1)
	}
	for w.oldest < len(w.log) && w.settled(w.log[w.oldest]) {
		w.oldest++
	}
	for _, ref := range w.log[w.oldest:] {
		if !w.settled(ref) {
			mark = min(mark, int64(w.silentOffset(ref.service()))+w.timeoutMS()-1)
		}
	}
	w.decided = max(w.decided, InstantOf(w.origin).Add(mark))
	return w.decided
}

// Known is the moment up to which it is known what became of everything that was sent, but for late replies. Of a sweep that
// was broken off it is that of when it was.
func (w *Sweep) Known() Instant {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sending {
		return w.inFlight()
	}
	return w.known
}

// inFlight is when the oldest attempt that is not decided was sent, or may have been, or may still be as if it were on plan;
// the end of time where there is none.
func (w *Sweep) inFlight() Instant {
	oldest := Instant(math.MaxInt64)
	if w.undecided > 0 && !w.recordsSilence() {
		oldest = InstantOf(w.sweeper.cfg.Clock.Now().Add(-PlanTolerance))
	}
	for _, ref := range w.log[w.oldest:] {
		if !w.settled(ref) {
			oldest = min(oldest, InstantOf(w.origin).Add(int64(w.silentOffset(ref.service()))))
		}
	}
	return oldest
}

// settled reports whether an attempt has no bearing on the watermark: its service is decided, or it is a retry.
func (w *Sweep) settled(ref attemptRef) bool {
	return ref.attempt() > 0 || w.table[ref.service()].decided()
}

// silentOffset is what is recorded, or is to be told from the plan, as the send time of a silent service: on a paced
// sweep of the real clock the plan's, for what is sent later than PlanTolerance after it is not sent at all.
func (w *Sweep) silentOffset(i int) int32 {
	v := &w.table[i]
	if w.recordsSilence() {
		return v.offset
	}
	aim := w.aimOf(i)
	return min(v.offset, int32(w.plan.Offset(aim, i-w.first[aim]).Milliseconds()))
}

// recordsSilence reports whether the round tells the send times of the silent itself. It holds for a whole sweep, so that
// no probe's time ever changes after it was judged.
func (w *Sweep) recordsSilence() bool {
	return w.sweeper.cfg.Clock.Scale() > 1 || w.order.Span == 0
}

func floorMS(d time.Duration) int64 {
	if d < 0 {
		d -= time.Millisecond - 1
	}
	return int64(d / time.Millisecond)
}

// pass records one aim.
func (w *Sweep) pass(aim int) Pass {
	targets := w.order.Aims[aim].Targets
	if w.order.Kind == Full {
		targets = w.sameSpace(targets)
	}
	p := Pass{Protocol: w.order.Aims[aim].Protocol, Targets: targets}
	tells := w.recordsSilence()
	w.makeRoom(aim, &p, tells)
	for i := w.first[aim]; i < w.first[aim+1]; i++ {
		v, target := &w.table[i], int32(i-w.first[aim])
		switch {
		case !v.decided() || v.outcome() == Unsent:
			p.Unsent = append(p.Unsent, target)
		case v.outcome() == Timeout:
			if tells {
				p.SilentMS = append(p.SilentMS, v.offset)
			}
		default:
			p.Answers = append(p.Answers, w.answer(i, target))
		}
	}
	return p
}

// makeRoom gives a pass the memory that its services need at once: a round is asked for every second, and a million answers
// must not be moved from slice to larger slice.
func (w *Sweep) makeRoom(aim int, p *Pass, silence bool) {
	n := &w.counts[aim].outcomes
	answered := int(n[Reply] + n[Refused] + n[Late] + n[Unreachable])
	silent := int(n[Timeout])
	if unsent := w.first[aim+1] - w.first[aim] - answered - silent; unsent > 0 {
		p.Unsent = make([]int32, 0, unsent)
	}
	if answered > 0 {
		p.Answers = make([]Answer, 0, answered)
	}
	if silence && silent > 0 {
		p.SilentMS = make([]int32, 0, silent)
	}
}

// sameSpace is the order's space where targets equals it, so that a full round holds one space.
func (w *Sweep) sameSpace(targets Space) Space {
	if slices.Equal(targets.prefixes, w.order.Space.prefixes) {
		return w.order.Space
	}
	return targets
}

// answer records a service that answered, or of which an ICMP error came.
func (w *Sweep) answer(i int, target int32) Answer {
	v := &w.table[i]
	if v.outcome() == Unreachable {
		n := w.notices[uint32(i)]
		return Answer{Target: target, Outcome: Unreachable, Offset: w.silentOffset(i), First: UnknownOffset, RTT: n.rtt,
			Type: n.kind, Code: n.code, From: n.from}
	}
	a := Answer{Target: target, Outcome: v.outcome(), RTT: v.rtt, First: UnknownOffset}
	a.Offset = w.offsetOf(refOf(i, v.answeredBy()))
	if first := w.silentOffset(i); a.Outcome == Late && a.Offset != first {
		a.First = first
	}
	return a
}

package probe

import (
	"net/netip"
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
		Vantage: w.order.Vantage, VantageOK: true, Slack: w.slack,
		Space: w.order.Space, Timeout: cfg.Timeout, Scale: cfg.Clock.Scale(),
	}
	for aim := range w.order.Aims {
		r.Passes = append(r.Passes, w.pass(aim))
	}
	return r, w.watermark()
}

// watermark moves the watermark on: to a margin before now, and short of the timeout of the oldest undecided probe.
func (w *Sweep) watermark() Instant {
	clock := w.sweeper.cfg.Clock
	margin := readMargin * time.Duration(clock.Scale())
	mark := InstantOf(w.origin).Add(floorMS(clock.Now().Sub(w.origin) - margin))
	for ; w.oldest < len(w.log); w.oldest++ {
		if ref := w.log[w.oldest]; ref.attempt() == 0 && !w.table[ref.service()].decided() {
			mark = min(mark, w.seenSilent(ref.service())-1)
			break
		}
	}
	w.decided = max(w.decided, mark)
	return w.decided
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
	var silent []int32
	scaled := w.sweeper.cfg.Clock.Scale() > 1
	offPlan := scaled
	for i := w.first[aim]; i < w.first[aim+1]; i++ {
		v, target := &w.table[i], int32(i-w.first[aim])
		switch {
		case !v.decided() || v.outcome() == Unsent:
			p.Unsent = append(p.Unsent, target)
		case v.outcome() == Timeout:
			at := v.offset
			if off := v.flags&flagOffPlan != 0; off || scaled {
				offPlan = true
			} else {
				// What was on plan is recorded as planned, so that it reads the same with and without offsets.
				at = int32(w.plan.Offset(aim, int(target)).Milliseconds())
			}
			silent = append(silent, at)
		default:
			p.Answers = append(p.Answers, w.answer(i, target))
		}
	}
	if offPlan && len(silent) > 0 {
		p.SilentMS = silent
	}
	return p
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
		return Answer{Target: target, Outcome: Unreachable, Offset: v.offset, First: UnknownOffset, RTT: n.rtt,
			Type: n.kind, Code: n.code, From: n.from}
	}
	a := Answer{Target: target, Outcome: v.outcome(), RTT: v.rtt, First: UnknownOffset, From: netip.Addr{}}
	a.Offset = w.offsetOf(refOf(i, v.answeredBy()))
	if a.Outcome == Late && a.Offset != v.offset {
		a.First = v.offset
	}
	return a
}

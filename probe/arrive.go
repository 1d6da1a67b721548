package probe

import (
	"math"
	"time"
)

// arrive credits proven news to its probe. It reports whether the sweep made that attempt.
func (w *Sweep) arrive(kind protocolKind, a Arrival) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := a.Ticket.service()
	if i >= len(w.table) || a.Ticket.attempt() >= w.table[i].attempts() || w.protocol(i).kind != kind {
		return false
	}
	ref := refOf(i, a.Ticket.attempt())
	switch a.Outcome {
	case Reply, Refused:
		if v := &w.table[i]; v.decided() && v.outcome() == Unsent {
			return false // what is on record as never sent cannot have been silent first
		}
		w.credit(ref, a)
	case Unreachable:
		if err := w.ourError(i, &a); err != nil {
			w.unsent(ref, err)
			break
		}
		w.note(ref, a)
	case Unsent:
		w.unsent(ref, a.Err)
	default:
		return false
	}
	return true
}

// credit counts a sign of life.
func (w *Sweep) credit(ref attemptRef, a Arrival) {
	i := ref.service()
	v := &w.table[i]
	if v.decided() && v.outcome().Life() {
		w.sweeper.strays.duplicates.Add(1)
		return
	}
	elapsed, rtt := w.roundTrip(ref, a)
	if elapsed > w.sweeper.cfg.LateWindow {
		w.sweeper.strays.tooLate.Add(1)
		return
	}
	w.ours.overtaken(w.protocol(i).kind, w.sentOf(ref))
	outcome := a.Outcome
	if rtt > w.sweeper.cfg.Timeout || w.decided >= w.seenSilent(i) {
		outcome = Late
	}
	v.rtt = w.follow(w.offsetOf(ref), microseconds(rtt))
	v.setAnsweredBy(ref.attempt())
	if w.flood != nil {
		w.flood.answer(w.sentOf(ref), elapsed)
		if w.flood.blocked {
			w.call()
		}
	}
	if w.sending {
		w.answered++
	}
	if ref.attempt() > 0 {
		w.foundAgain++
	}
	w.decide(i, outcome)
}

// roundTrip is how long after its attempt an arrival came, and how long the round trip took.
func (w *Sweep) roundTrip(ref attemptRef, a Arrival) (elapsed, rtt time.Duration) {
	elapsed = a.At.Sub(w.base) - w.sentOf(ref)
	// A wire's own measure is better, unless it places the reply much before it came: then it measured another packet.
	if a.RTT > 0 && elapsed-a.RTT < readMargin/2 {
		return elapsed, a.RTT
	}
	return elapsed, elapsed
}

// microseconds rounds a round-trip time up, to at least 1, and quantises it.
func microseconds(rtt time.Duration) uint32 {
	us := min(max((rtt+time.Microsecond-1)/time.Microsecond, 1), math.MaxUint32)
	return QuantiseRTT(uint32(us))
}

// seenSilent is the moment at which the detector sees a service as silent.
func (w *Sweep) seenSilent(i int) Instant {
	return InstantOf(w.origin).Add(int64(w.silentOffset(i)) + w.timeoutMS())
}

func (w *Sweep) timeoutMS() int64 {
	r := Round{Timeout: w.sweeper.cfg.Timeout, Scale: w.sweeper.cfg.Clock.Scale()}
	return r.TimeoutMS()
}

// follow lengthens an RTT until its reply is seen after the watermark given out: what was judged stays judged.
func (w *Sweep) follow(offset int32, us uint32) uint32 {
	r := Round{Scale: w.sweeper.cfg.Clock.Scale()}
	after := int64(w.decided-InstantOf(w.origin)) - int64(offset)
	if r.RTTMS(&Answer{RTT: us}) > after {
		return us
	}
	w.sweeper.strays.moved.Add(1)
	// The shortest that rounds up to a millisecond beyond.
	return QuantiseRTT(uint32(min(after*1000/r.Scale+1, math.MaxUint32)))
}

// note keeps an ICMP error: evidence, until life comes or the timeout.
func (w *Sweep) note(ref attemptRef, a Arrival) {
	v := &w.table[ref.service()]
	if v.decided() || v.flags&flagNoticed != 0 {
		w.sweeper.strays.duplicates.Add(1)
		return
	}
	v.flags |= flagNoticed
	rtt := a.At.Sub(w.base) - w.sentOf(ref)
	w.notices[uint32(ref.service())] = notice{kind: a.Type, code: a.Code, from: a.From, rtt: microseconds(rtt)}
}

// unsent takes back an attempt: we failed to send it. A retry that was not sent leaves the silence of those before it.
func (w *Sweep) unsent(ref attemptRef, err error) {
	i := ref.service()
	v := &w.table[i]
	if v.decided() && v.outcome() == Unsent {
		return // a second reason to say so
	}
	w.counts[w.aimOf(i)].failed(localReason(err))
	if v.decided() {
		return
	}
	if v.attempts() > 1 {
		w.unmade[ref] = err
	}
	switch {
	case v.attempts() != ref.attempt()+1: // a later one is under way
	case ref.attempt() > 0 && w.flood != nil: // asked again long before a timeout: an earlier one is under way
	case ref.attempt() > 0:
		w.silence(i)
	default:
		w.decide(i, Unsent)
	}
}

// silence decides a service that did not answer. It is silent if we have done our part at one attempt at least.
func (w *Sweep) silence(i int) {
	if w.table[i].flags&flagNoticed != 0 {
		w.decide(i, Unreachable)
		return
	}
	if err := w.faultOfAll(i); err != nil {
		w.counts[w.aimOf(i)].failed(localReason(err))
		w.decide(i, Unsent)
		return
	}
	w.decide(i, Timeout)
}

// decide sets a service's outcome, or revises it where life came after all.
func (w *Sweep) decide(i int, o Outcome) {
	v := &w.table[i]
	c := &w.counts[w.aimOf(i)]
	if v.decided() {
		c.outcomes[v.outcome()]--
	} else {
		w.undecided--
		if w.undecided == 0 {
			w.call()
		}
	}
	c.outcomes[o]++
	v.decide(o)
}

package probe

import "time"

// mostUnread is for how long silence waits, beyond its timeout, for a wire to deliver all that has come.
const mostUnread = 10 * time.Second

// expire looks at the attempts whose timeout is over by now: services still silent are asked again or decided.
func (w *Sweep) expire(now time.Duration) {
	w.look(w.anyTimedOut(now))
	for _, ref := range w.timedOut(now) {
		if w.retry(ref) {
			w.again = append(w.again, refOf(ref.service(), ref.attempt()+1))
			continue
		}
		w.mu.Lock()
		if !w.table[ref.service()].decided() {
			w.silence(ref.service())
		}
		w.mu.Unlock()
	}
}

// anyTimedOut reports whether there is an attempt to be looked at.
func (w *Sweep) anyTimedOut(now time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	ref, ok := w.nextHope()
	return ok && w.isOver(ref, now)
}

// timedOut takes from the log the attempts that are over and were their service's last hope. Those whose answers may be
// here, unread, are not over: after this process has stood still, timers run before what was received is read.
func (w *Sweep) timedOut(now time.Duration) (over []attemptRef) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		ref, ok := w.nextHope()
		if !ok || !w.isOver(ref, now) || w.isUnread(ref, now) {
			return over
		}
		over = append(over, ref)
		w.expired++
	}
}

// nextHope is the first attempt in the log not looked at yet that is the last of a silent service.
func (w *Sweep) nextHope() (ref attemptRef, ok bool) {
	for ; w.expired < len(w.log); w.expired++ {
		ref = w.log[w.expired]
		if v := &w.table[ref.service()]; !v.decided() && v.attempts() == ref.attempt()+1 {
			return ref, true
		}
	}
	return ref, false
}

// isOver reports whether an attempt's timeout is over. In an unpaced sweep, whose pass may take longer than a timeout, none
// is before the doubted have been asked again.
func (w *Sweep) isOver(ref attemptRef, now time.Duration) bool {
	return w.sentOf(ref)+w.sweeper.cfg.Timeout <= now && !w.stalled(ref) && !w.doubting()
}

// isUnread reports whether the answer to an attempt may have come in time and lie unread.
func (w *Sweep) isUnread(ref attemptRef, now time.Duration) bool {
	until := w.sentOf(ref) + w.sweeper.cfg.Timeout
	return w.ours.readBy[w.protocol(ref.service()).kind] < until && now < until+mostUnread
}

// stalled reports whether a scaled clock has waited for a busy machine since an attempt was sent, so that on the clock its
// timeout is not over: what was slow then was ourselves.
func (w *Sweep) stalled(ref attemptRef) bool {
	clock := w.sweeper.cfg.Clock
	if clock.Scale() == 1 {
		return false
	}
	over := int64(w.offsetOf(ref)) + w.sweeper.cfg.Timeout.Milliseconds()*clock.Scale()
	return clock.Now().Sub(w.origin).Milliseconds() < over
}

// retry reports whether a silent service is to be asked again: a usual one, while its block's allowance lasts. The
// allowance is not waited for, because the watermark waits for the service.
func (w *Sweep) retry(ref attemptRef) bool {
	s := w.sweeper
	if ref.attempt() >= s.cfg.Retries || w.order.Usual == nil {
		return false
	}
	target, p := w.target(ref.service()), w.protocol(ref.service())
	if !w.order.Usual(target, p) {
		return false
	}
	ok, _ := s.limits.extra(s.cfg.Clock.Now(), target, p)
	return ok
}

package probe

import "time"

// expire looks at the attempts whose timeout is over by now: services still silent are asked again or decided.
func (w *Sweep) expire(now time.Duration) {
	over := w.timedOut(now)
	w.look(len(over) > 0)
	for _, ref := range over {
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

// timedOut takes from the log the attempts that are over and were their service's last hope.
func (w *Sweep) timedOut(now time.Duration) []attemptRef {
	w.mu.Lock()
	defer w.mu.Unlock()
	var over []attemptRef
	for ; w.expired < len(w.log); w.expired++ {
		ref := w.log[w.expired]
		v := &w.table[ref.service()]
		if v.decided() || v.attempts() > ref.attempt()+1 {
			continue
		}
		if w.sentOf(ref)+w.sweeper.cfg.Timeout > now || w.stalled(ref) {
			break
		}
		over = append(over, ref)
	}
	return over
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

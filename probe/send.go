package probe

import (
	"context"
	"time"
)

// batchLimit is the number of packets of one look at what is due.
const batchLimit = 64

// deferLimit is how long, in real time after the last planned probe, probes wait for their block's allowance.
const deferLimit = 10 * time.Second

// sendDue sends what is due, up to a batch, and says how long it takes until more is.
func (w *Sweep) sendDue(ctx context.Context) (sent int, wait time.Duration) {
	now := w.sweeper.cfg.Clock.Now()
	refs, wait := w.gather(now)
	if len(refs) == 0 {
		return 0, wait
	}
	w.register(refs)
	for kind := range w.packets {
		if len(w.packets[kind]) > 0 {
			w.dispatch(ctx, protocolKind(kind))
		}
	}
	return len(refs), 0
}

// gather takes what is due. A paced sweep's shots go before all that may wait, for a shot that is late is lost; in an unpaced
// sweep they are always due, and go last.
func (w *Sweep) gather(now time.Time) (refs []attemptRef, wait time.Duration) {
	room := w.room()
	wait = longestSleep
	if w.flood != nil {
		n, pause := w.allowFlood()
		if n == 0 {
			return nil, pause
		}
		room.batch = min(room.batch, n)
	}
	if w.order.Span > 0 {
		refs, wait = w.gatherShots(refs, now, &room, wait)
	}
	refs, wait = w.gatherAgain(refs, now, &room, wait)
	refs, wait = w.gatherDeferred(refs, now, &room, wait)
	if w.order.Span == 0 {
		refs, wait = w.gatherShots(refs, now, &room, wait)
	}
	return refs, wait
}

// rooms is how many packets may still join a batch: overall, and for wires that can hold only so many attempts.
type rooms struct {
	batch int
	wire  [kindDNS + 1]int
}

func (w *Sweep) room() rooms {
	r := rooms{batch: batchLimit}
	for kind, wire := range w.sweeper.wires {
		r.wire[kind] = batchLimit
		if limited, ok := wire.(roomy); ok {
			r.wire[kind] = limited.Room()
		}
	}
	return r
}

// roomPoll is how often a wire without room is asked again.
const roomPoll = 5 * time.Millisecond

// admit reports whether one more packet of a kind may join the batch, or how long to wait for that.
func (w *Sweep) admit(now time.Time, room *rooms, kind protocolKind) (bool, time.Duration) {
	if room.batch == 0 {
		return false, 0
	}
	if room.wire[kind] <= 0 {
		return false, roomPoll
	}
	if ok, wait := w.sweeper.limits.packet(now); !ok {
		return false, w.real(wait)
	}
	room.batch--
	room.wire[kind]--
	return true, 0
}

// withdraw takes back an admission.
func (w *Sweep) withdraw(room *rooms, kind protocolKind) {
	room.batch++
	room.wire[kind]++
	w.sweeper.limits.refund()
}

// real turns a duration on the clock into a real one, rounded up.
func (w *Sweep) real(d time.Duration) time.Duration {
	scale := time.Duration(w.sweeper.cfg.Clock.Scale())
	return (d + scale - 1) / scale
}

func (w *Sweep) gatherAgain(refs []attemptRef, now time.Time, room *rooms, wait time.Duration) ([]attemptRef, time.Duration) {
	for len(w.again) > 0 {
		ref := w.again[0]
		if w.isDecided(ref.service()) {
			w.again = w.again[1:]
			continue
		}
		ok, pause := w.admit(now, room, w.protocol(ref.service()).kind)
		if !ok {
			return refs, min(wait, pause)
		}
		refs = append(refs, ref)
		w.again = w.again[1:]
	}
	return refs, wait
}

func (w *Sweep) isDecided(service int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.table[service].decided()
}

// gatherDeferred looks again at the extras that had no leave. Those that never get it are unsent.
func (w *Sweep) gatherDeferred(refs []attemptRef, now time.Time, room *rooms, wait time.Duration) ([]attemptRef, time.Duration) {
	if len(w.deferred) == 0 {
		return refs, wait
	}
	kept := w.deferred[:0]
	for _, ref := range w.deferred {
		target, p := w.target(ref.service()), w.protocol(ref.service())
		ok, pause := w.admit(now, room, p.kind)
		if ok {
			if ok, pause = w.sweeper.limits.extra(now, target, p); ok {
				refs = append(refs, ref)
				continue
			}
			w.withdraw(room, p.kind)
		}
		if w.deferredTooLong(now, ref) {
			w.discard(ref, errNoLeave)
			continue
		}
		kept = append(kept, ref)
		wait = min(wait, max(w.real(pause), roomPoll))
	}
	w.deferred = kept
	return refs, wait
}

// deferredTooLong reports whether a deferred extra has waited for as long as it may: a paced one while it counts as on
// plan, an unpaced one for deferLimit.
func (w *Sweep) deferredTooLong(now time.Time, ref attemptRef) bool {
	if w.order.Span == 0 {
		return !w.shots.more && time.Since(w.lastShot) > deferLimit
	}
	aim := w.aimOf(ref.service())
	return w.overdue(now, w.plan.Offset(aim, ref.service()-w.first[aim]))
}

// sendTolerance is how late, in real time, a paced probe may still be sent: it leaves a part of PlanTolerance to packets
// that find our buffers full.
const sendTolerance = PlanTolerance - 100*time.Millisecond

// overdue reports whether a probe is so late for its plan that it is discarded: after a stall the backlog is not flooded,
// and a silent probe's send time can be told from the plan.
func (w *Sweep) overdue(now time.Time, planned time.Duration) bool {
	late := now.Sub(w.origin) - planned
	return w.order.Span > 0 && late > sendTolerance*time.Duration(w.sweeper.cfg.Clock.Scale())
}

// discard gives up a probe before it was sent.
func (w *Sweep) discard(ref attemptRef, why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[w.aimOf(ref.service())].failed(localReason(why))
	w.decide(ref.service(), Unsent)
}

// gatherShots takes the plan's next shots up to now.
func (w *Sweep) gatherShots(refs []attemptRef, now time.Time, room *rooms, wait time.Duration) ([]attemptRef, time.Duration) {
	for w.shots.more {
		shot := w.shots.next
		if since := now.Sub(w.origin); shot.At > since {
			return refs, min(wait, w.real(w.untilShots(since)))
		}
		aim := &w.order.Aims[shot.Aim]
		ref := refOf(w.first[shot.Aim]+shot.Target, 0)
		if w.overdue(now, shot.At) {
			w.discard(ref, errOverdue)
			w.shots.advance()
			continue
		}
		ok, pause := w.admit(now, room, aim.Protocol.kind)
		if !ok {
			return refs, min(wait, pause)
		}
		if w.shots.advance(); !w.shots.more {
			w.lastShot = time.Now()
		}
		if w.order.Kind != Full {
			if leave, _ := w.sweeper.limits.extra(now, aim.Targets.Addr(shot.Target), aim.Protocol); !leave {
				w.withdraw(room, aim.Protocol.kind)
				w.deferred = append(w.deferred, ref)
				continue
			}
		}
		refs = append(refs, ref)
	}
	if w.flood != nil && len(refs)+len(w.again)+len(w.deferred) == 0 {
		wait = min(wait, w.doubt())
	}
	return refs, wait
}

// register writes the attempts down before they are sent, because a quick reply could race us, and makes their packets. Each
// has a send time from now on, for timeouts are read from the log while it waits its turn; hand puts the exact one in its place.
func (w *Sweep) register(refs []attemptRef) {
	for kind := range w.packets {
		w.packets[kind], w.refs[kind] = w.packets[kind][:0], w.refs[kind][:0]
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	real, offset := w.reading()
	for _, ref := range refs {
		i := ref.service()
		aim := w.aimOf(i)
		p := w.order.Aims[aim].Protocol
		w.stamp(ref, real, offset)
		w.log = append(w.log, ref)
		w.table[i].tries++
		w.counts[aim].packets++
		if ref.attempt() > 0 {
			w.counts[aim].retries++
		} else {
			w.sentProbes++
		}
		w.refs[p.kind] = append(w.refs[p.kind], ref)
		w.packets[p.kind] = append(w.packets[p.kind], Packet{
			Ticket:   makeTicket(w.id, i, ref.attempt()),
			Target:   w.order.Aims[aim].Targets.Addr(i - w.first[aim]),
			Protocol: p,
		})
	}
	if w.flood != nil {
		w.flood.send(real, len(refs))
	}
}

// reading is the time after the base and, in milliseconds on the clock, after the start.
func (w *Sweep) reading() (real time.Duration, offset int32) {
	w.stamped = w.sweeper.cfg.Clock.Now()
	real = time.Since(w.base) >> sentUnit << sentUnit // as the table keeps it
	return real, int32(w.stamped.Sub(w.origin) / time.Millisecond)
}

// stamp writes down when an attempt was sent.
func (w *Sweep) stamp(ref attemptRef, real time.Duration, offset int32) {
	v := &w.table[ref.service()]
	if ref.attempt() == 0 {
		v.setSent(real)
		v.offset = offset
	} else {
		w.resent[ref] = resend{sent: real, offset: offset}
	}
	w.end = max(w.end, offset)
}

package probe

import (
	"context"
	"slices"
	"time"
)

// How often a packet is offered to buffers of ours that are full, a millisecond apart, then two, four ...: a paced one for
// 31 ms, for it must not be late; an unpaced one for two seconds, because on a busy machine the kernel's own threads, which
// empty a device's queue, wait for a processor for longer than that.
//
// A packet that is never taken, though all queues are empty, is one that a filter behind our sockets drops (tc, or nftables at
// egress), which fails a send with the same ENOBUFS as a full queue. After some seconds of waiting for that in vain, each is
// offered once more at most, until one is taken again, or a queue is in use.
const (
	sendTries      = 6
	floodSendTries = 12
	vainTries      = 2
	vainLimit      = 5 * time.Second
)

// dispatch hands a batch to its wire, asks again while our own buffers are full, and takes back what was not sent.
func (w *Sweep) dispatch(ctx context.Context, kind protocolKind) {
	packets, refs := w.packets[kind], w.refs[kind]
	tries := sendTries
	if w.flood != nil {
		tries = floodSendTries
	}
	if w.vain > vainLimit {
		tries = vainTries
	}
	waited := time.Duration(0)
	for try := 0; ; try++ {
		w.hand(kind, packets, refs)
		last := w.jammed || try+1 == tries || ctx.Err() != nil
		if try > 0 && anyTaken(packets) {
			w.vain, waited = 0, 0
		}
		packets, refs = w.failures(packets, refs, last)
		if len(packets) == 0 {
			w.jammed = last && try > 0
			if waited > 0 {
				w.waitedInVain(waited)
			}
			return
		}
		w.sleep(ctx, time.Millisecond<<try)
		waited += time.Millisecond << try
	}
}

// waitedInVain notes a wait for buffers of ours, after which nothing was taken.
func (w *Sweep) waitedInVain(d time.Duration) {
	if w.ours.path.idle() {
		w.vain += d
		return
	}
	w.vain = 0 // a queue that does not move, for now
}

func anyTaken(packets []Packet) bool {
	return slices.ContainsFunc(packets, func(p Packet) bool { return p.Err == nil })
}

// stampLimit is how many packets share a send time: the last of them leaves a few microseconds after it.
const stampLimit = 4

// hand gives packets to their wire, a few at a time, with their send times read just before.
func (w *Sweep) hand(kind protocolKind, packets []Packet, refs []attemptRef) {
	for len(packets) > 0 {
		n := min(stampLimit, len(packets))
		w.restamp(refs[:n])
		began := time.Now()
		w.sweeper.wires[kind].Send(packets[:n])
		if w.tending {
			w.spread(refs[:n], time.Since(began))
		}
		w.measureSlack()
		packets, refs = packets[n:], refs[n:]
	}
}

// tend has the sweep read those of its wires that can be read by others, or leaves that to them.
func (w *Sweep) tend(on bool) {
	if on == w.tending {
		return
	}
	w.tending = on
	for _, t := range w.tendable {
		t.Tend(on)
	}
}

// read reads the wires that the sweep tends.
func (w *Sweep) read() {
	if !w.tending {
		return
	}
	for _, t := range w.tendable {
		t.Read()
	}
}

// flooding reports whether the sweep has much to send, and nothing else to do that could take long: silence is judged after
// the doubts.
func (w *Sweep) flooding() bool { return w.doubting() && (w.shots.more || len(w.again) > 0) }

// failures takes back the packets that were not sent, but for those that are worth another try: it returns these.
func (w *Sweep) failures(packets []Packet, refs []attemptRef, last bool) ([]Packet, []attemptRef) {
	n := 0
	for i := range packets {
		err := packets[i].Err
		if err == nil {
			continue
		}
		if !last && passing(err) {
			packets[n], refs[n] = packets[i], refs[i]
			n++
			continue
		}
		w.mu.Lock()
		w.unsent(refs[i], err)
		w.mu.Unlock()
	}
	if n > 0 && w.flood != nil {
		w.mu.Lock()
		w.flood.slow()
		w.mu.Unlock()
	}
	return packets[:n], refs[:n]
}

// restamp writes down that attempts leave now.
func (w *Sweep) restamp(refs []attemptRef) {
	w.mu.Lock()
	defer w.mu.Unlock()
	real, offset := w.reading()
	for _, ref := range refs {
		if !w.table[ref.service()].decided() {
			w.stamp(ref, real, offset)
		}
	}
}

// spread corrects the send times of packets that shared one, by how long it took to send them all. It comes before their answers
// where the sweep reads them; one that others have read keeps the time it was judged by.
func (w *Sweep) spread(refs []attemptRef, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	each := took / time.Duration(len(refs))
	for k, ref := range refs {
		if v := &w.table[ref.service()]; ref.attempt() == 0 && !v.decided() {
			v.setSent(v.sent() + each*time.Duration(k))
		}
	}
}

// slackStep is the least slack of a sweep on a scaled clock, in real time.
const slackStep = time.Millisecond

// measureSlack notes how long after its recorded time a batch was out. Slack doubles, so that it seldom changes while a
// round is under way; on the real clock what drowns in the other errors of a send time is not noted.
func (w *Sweep) measureSlack() {
	clock := w.sweeper.cfg.Clock
	late := clock.Now().Sub(w.stamped) / time.Duration(clock.Scale())
	if clock.Scale() == 1 && late <= StallLimit {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.slack < late {
		w.slack = max(2*w.slack, slackStep)
	}
}

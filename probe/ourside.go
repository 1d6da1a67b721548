package probe

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"time"
)

// ourSide is what a sweep knows of the faults of this host, which silence an attempt without a word: packets that found a
// buffer or a queue of ours full, and an interface of ours that was down. The sweep's lock guards it, but for path and backlog.
type ourSide struct {
	path       *path         // nil: what the kernel says of its interfaces and routes is not to be had
	backlog    *backlog      // nil: what it says of its queues is not
	queues     time.Duration // when backlog was looked at
	looked     time.Duration
	dropped    [kindDNS + 1]uint64 // by wire, up to looked
	unreported [kindDNS + 1]uint64
	sentBy     [kindDNS + 1]time.Duration // whatever a wire took up to then has left this host
	answered   [kindDNS + 1]time.Duration // the latest send time of what was answered
	flows      []stretch                  // when no packet waited in a queue of ours, as far as was seen
	flowed     bool                       // whether one of them lasts
	flowLooked time.Duration
	missing    []netip.Addr               // routers of ours that did not answer then
	readBy     [kindDNS + 1]time.Duration // whatever came to a wire up to then has been delivered
	troubles   []trouble                  // by their ends
}

// stretch is a range of send times.
type stretch struct{ from, to time.Duration }

// trouble is a stretch of time in which answers may not have reached us, or packets may not have left us, and why.
type trouble struct {
	stretch
	kind protocolKind // 0: every kind
	why  error
	by   netip.Addr // the router it is of; not valid: of all
}

// befalls reports whether a trouble may be why an attempt, sent then, was silent.
func (t *trouble) befalls(kind protocolKind, target netip.Addr, sent, timeout time.Duration) bool {
	if t.why == errKept {
		return t.kind == kind && target.Is6() && t.from <= sent && sent <= t.to
	}
	return (t.kind == 0 || t.kind == kind) && t.from <= sent+timeout && sent <= t.to
}

var (
	errOverflow = errors.New("our receive buffer was full while the answer was awaited")
	errBacklog  = errors.New("a queue of our kernel was full while the answer was awaited")
	errLinkDown = errors.New("our interface was down while the answer was awaited")
	errMoved    = errors.New("an address of ours went, or our route to another interface, while the answer was awaited")
	errStill    = errors.New("this process or its machine stood still while the answer was awaited")
	errCutOff   = errors.New("no router of ours answers or none is known, or we have no address to be answered at")
)

const (
	lookEvery   = time.Millisecond
	lookAtLeast = 100 * time.Millisecond // of a sweep at leisure, whose every look is at a wake-up of its own
	// The kernel tells of a carrier that is gone up to a second late: net/core/link_watch.c.
	linkDelay = time.Second
	// Troubles as near to each other as this are one.
	troubleGap = 100 * time.Millisecond
	// So late a wake-up is none of a busy machine, but of one that stood still.
	standstill = time.Second / 2
)

// watchOurSide begins to watch. It is called before anything is sent.
func (w *Sweep) watchOurSide() {
	if w.sweeper.cfg.OpenWire == nil {
		var err error
		if w.ours.path, err = openPath(w.samples(), w.pathAge()); err != nil {
			w.sweeper.cfg.Log.Warn("the host's interfaces cannot be watched", "err", err)
		}
		w.ours.backlog = openBacklog(softnetStat)
	}
	w.ours.flow(0, w.ours.path.idle())
	w.ours.dropped, w.ours.unreported, _ = w.lost()
}

// pathAge is how long what was found of our routes stands. Silence that is judged now is that of a probe that had a route when
// it was sent, a timeout ago; at leisure, not to ask for each is a fifteenth of what the whole sweep costs.
func (w *Sweep) pathAge() time.Duration {
	if w.leisure() > 0 {
		return time.Second
	}
	return 100 * time.Millisecond
}

// samples are some of the targets, by which it can be told where the routes to all of them lead: of each part of the space that is
// named by itself, and of each /24 of a larger one, as far as those are not too many.
func (w *Sweep) samples() []netip.Addr {
	const least, most = 16, 256
	var samples []netip.Addr
	for _, aim := range w.order.Aims {
		n, parts := aim.Targets.Len(), aim.Targets.Prefixes()
		for i, step := 0, max(min(n/least, 256), n/most, 1); i < n; i += step {
			samples = append(samples, aim.Targets.Addr(i))
		}
		for i := 0; i < len(parts); i += max(len(parts)/most, 1) {
			samples = append(samples, parts[i].Addr())
		}
	}
	slices.SortFunc(samples, netip.Addr.Compare)
	return slices.Compact(samples)
}

// buffers is how the buffers of each wire are that has some.
func (w *Sweep) buffers() (all [kindDNS + 1]buffers) {
	for kind, wire := range w.sweeper.wires {
		if b, ok := wire.(buffered); ok {
			all[kind] = b.Buffers()
		}
	}
	return all
}

// lost is how many packets each wire's receive buffer has had no room for, how many failed to be sent without a word, and
// whether any that were sent are still here.
func (w *Sweep) lost() (dropped, unreported [kindDNS + 1]uint64, held [kindDNS + 1]bool) {
	for kind, b := range w.buffers() {
		dropped[kind], held[kind] = b.dropped, b.held
	}
	for kind, wire := range w.sweeper.wires {
		if u, ok := wire.(unreporting); ok {
			unreported[kind] = u.Unreported()
		}
	}
	return dropped, unreported, held
}

// slept notes a standstill of this process, at some time of a sleep that lasted for too long. If the whole machine stood
// still, what came meanwhile is lost.
func (w *Sweep) slept(began, planned time.Duration) {
	if now := time.Since(w.base); now-began-planned > standstill && w.sweeper.cfg.Clock.Scale() == 1 {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ours.add(trouble{stretch: stretch{began, now}, why: errStill})
	}
}

// caughtUp is whether each wire has delivered all that has come.
func (w *Sweep) caughtUp() (read [kindDNS + 1]bool) {
	for kind, wire := range w.sweeper.wires {
		r, ok := wire.(reading)
		read[kind] = !ok || r.CaughtUp()
	}
	return read
}

// look notes what has befallen us since the last look. It comes before silence is judged, which is when it is needed.
func (w *Sweep) look(needed bool) {
	now, every := time.Since(w.base), lookEvery
	if !needed && w.leisure() > 0 {
		every = lookAtLeast
	}
	if now-w.ours.looked < every {
		return
	}
	read := w.caughtUp()
	dropped, unreported, held := w.lost()
	down, moved := w.ours.path.look()
	queues, full := w.ours.queues, false
	if needed || now-queues >= lookAtLeast {
		full, w.ours.queues = w.ours.backlog.look(), now
	}
	looked, flows, before := now-w.ours.flowLooked >= lookAtLeast, false, w.ours.flowLooked
	var missing []netip.Addr
	if looked {
		gone := slices.Collect(w.ours.path.missing)
		missing = slices.Concat(gone, w.ours.missing) // who was missing at the last look may have been until a moment ago
		w.ours.missing, w.ours.flowLooked = gone, now
		flows = !slices.Contains(held[:], true) && !w.asksTCP() || w.ours.path.idle()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	o := &w.ours
	if looked {
		o.flow(now, flows)
	}
	for _, router := range missing {
		o.add(trouble{stretch: stretch{before, now}, why: errCutOff, by: router})
	}
	for kind := range dropped {
		if !held[kind] {
			o.sentBy[kind] = now
		}
		if read[kind] {
			o.readBy[kind] = now
		}
		if dropped[kind] > o.dropped[kind] {
			o.add(trouble{stretch: stretch{o.looked, now}, kind: protocolKind(kind), why: errOverflow})
		}
		if unreported[kind] > o.unreported[kind] {
			o.add(trouble{stretch: stretch{o.looked, now}, kind: protocolKind(kind), why: errKept})
		}
	}
	if full {
		o.add(trouble{stretch: stretch{queues, now}, why: errBacklog})
	}
	if down {
		o.add(trouble{stretch: stretch{o.looked - linkDelay, now}, why: errLinkDown})
	}
	if moved {
		o.add(trouble{stretch: stretch{o.looked, now}, why: errMoved})
	}
	o.looked, o.dropped, o.unreported = now, dropped, unreported
}

// add notes a trouble, or makes the latest of its kind last longer.
func (o *ourSide) add(t trouble) {
	for i := len(o.troubles) - 1; i >= 0; i-- {
		if last := &o.troubles[i]; last.kind == t.kind && last.why == t.why && last.by == t.by {
			if last.to+troubleGap < t.from {
				break
			}
			last.to = t.to
			return
		}
	}
	o.troubles = append(o.troubles, t)
}

// asksTCP reports whether the sweep asks by TCP, whose sockets do not tell what they hold.
func (w *Sweep) asksTCP() bool {
	return slices.ContainsFunc(w.order.Aims, func(a Aim) bool { return a.Protocol.IsTCP() })
}

// overtaken notes that an attempt was answered.
func (o *ourSide) overtaken(kind protocolKind, sent time.Duration) {
	o.answered[kind] = max(o.answered[kind], sent)
}

// mostFlows is how many stretches are kept in which our queues were empty: a busy machine may have many, and the old are over.
const mostFlows = 1 << 12

// flow notes whether packets wait in a queue of ours now.
func (o *ourSide) flow(now time.Duration, flows bool) {
	switch {
	case flows && o.flowed:
		o.flows[len(o.flows)-1].to = now
	case flows:
		if len(o.flows) == mostFlows {
			o.flows = slices.Delete(o.flows, 0, mostFlows/2)
		}
		o.flows = append(o.flows, stretch{now, now})
	}
	o.flowed = flows
}

// flowedBetween reports whether our queues are known to have been empty at some time of a stretch: what went before it had left
// them by its end.
func (o *ourSide) flowedBetween(from, to time.Duration) bool {
	i, _ := slices.BinarySearchFunc(o.flows, from, func(s stretch, from time.Duration) int { return cmp.Compare(s.to, from) })
	return i < len(o.flows) && o.flows[i].from <= to
}

// keptForOthers reports whether what is still kept in this host is kept for a neighbour that does not answer: it is the attempt
// itself, or that was overtaken by another that was answered and left by the same interface. In either case our queues have
// moved since, and early enough for the question who the neighbour is.
func (w *Sweep) keptForOthers(target netip.Addr, sent time.Duration, overtaken bool) bool {
	if !w.ours.flowedBetween(sent, sent+w.sweeper.cfg.Timeout/2) {
		return false
	}
	absent, known := w.ours.path.absent(target)
	return absent || known && overtaken
}

// fault is why the silence of an attempt may be our own doing; nil: it is the target's.
func (w *Sweep) fault(ref attemptRef) error {
	if err := w.unmade[ref]; err != nil {
		return err
	}
	kind := w.protocol(ref.service()).kind
	target, sent := w.target(ref.service()), w.sentOf(ref)
	err := w.keptBack(ref)
	overtaken := err == nil && sent <= w.ours.answered[kind]
	if sent > w.ours.sentBy[kind] { // a queue that was never empty meanwhile may hold it still
		err = errKept
	}
	if err != nil && !w.keptForOthers(target, sent, overtaken) {
		return err
	}
	for i := range w.ours.troubles {
		t := &w.ours.troubles[i]
		if t.befalls(kind, target, sent, w.sweeper.cfg.Timeout) && (!t.by.IsValid() || w.ours.path.leadsBy(target, t.by)) {
			return t.why
		}
	}
	if w.ours.path.cutOff(target) {
		return errCutOff
	}
	return nil
}

// keptBack is why an attempt has not left this host, as its wire has learned since; nil: it has, or nothing is known.
func (w *Sweep) keptBack(ref attemptRef) error {
	wire, ok := w.sweeper.wires[w.protocol(ref.service()).kind].(hindsighted)
	if !ok {
		return nil
	}
	return wire.Unsent(makeTicket(w.id, ref.service(), ref.attempt()))
}

// faultOfAll is why the silence of a service says nothing of it: every single attempt may have been in vain for a fault
// of ours.
func (w *Sweep) faultOfAll(service int) (err error) {
	for n := range w.table[service].attempts() {
		if err = w.fault(refOf(service, n)); err == nil {
			return nil
		}
	}
	return err
}

// ourError is what an ICMP error means that this very host has sent about a target elsewhere: our firewall, our routes or
// a router of ours that is not there. An error about a neighbour that does not answer is no fault of ours.
func (w *Sweep) ourError(service int, a *Arrival) error {
	target := w.target(service)
	if a.From == target || !w.ours.path.isLocal(a.From) {
		return nil
	}
	sent := w.sentOf(refOf(service, a.Ticket.attempt()))
	if !w.ours.flowed && !w.ours.flowedBetween(sent, sent+w.sweeper.cfg.Timeout/2) { // who the neighbour is was perhaps not asked
		return errKept
	}
	hop, err := w.ours.path.hop(target)
	if err == nil && !hop.unanswerable() && (hop.local || !hop.router.IsValid() && a.noHost()) {
		return nil
	}
	return errCutOff
}

// noHost reports whether an error says that a host does not answer on its own link.
func (a *Arrival) noHost() bool {
	if a.From.Is4() {
		return a.Type == unreachable4 && a.Code == 1 // RFC 792
	}
	return a.Type == unreachable6 && a.Code == 3 // RFC 4443
}

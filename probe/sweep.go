package probe

import (
	"context"
	"net/netip"
	"slices"
	"sort"
	"sync"
	"time"
)

// Sweep is one sweep under way, or over. Its methods may be called from any goroutine.
type Sweep struct {
	sweeper *Sweeper
	id      uint32
	order   Order
	plan    *Plan
	first   []int     // per aim, its first service; one more at the end
	eased   bool      // probes of unexpected services wait for company: see sendLeisure
	origin  time.Time // on the clock: the round's Start, a whole millisecond
	base    time.Time // real: what the table's times count from
	cancel  context.CancelFunc
	sentAll chan struct{}
	done    chan struct{}
	wake    chan struct{} // asks the sending goroutine to look again

	// Of the sending goroutine alone.
	shots    shots
	again    []attemptRef // retries to be sent
	deferred []attemptRef // extras that wait for their block's allowance
	packets  [kindDNS + 1][]Packet
	refs     [kindDNS + 1][]attemptRef
	jammed   bool          // the last batch found our buffers full for good
	vain     time.Duration // waited for buffers of ours that are empty, since a packet was taken that had not been
	lastShot time.Time
	stamped  time.Time // on the clock: of the latest batch
	tendable []tended  // its wires that it can read
	tending  bool      // and does
	doubted  int       // how often an unpaced sweep has doubted its silent
	sure     bool      // and will not any more

	mu                   sync.Mutex // guards what follows
	table                []service
	log                  []attemptRef // every attempt, in order of sending
	expired              int          // log entries whose timeout has been looked at
	forgotten            int          // log entries whose late window is over
	oldest               int          // the first log entry that is its service's first attempt and undecided
	resent               map[attemptRef]resend
	unmade               map[attemptRef]error // attempts that were not sent, of services asked more than once
	ours                 ourSide
	notices              map[uint32]notice
	counts               []aimCount // per aim
	undecided            int
	sentProbes, answered int
	foundAgain           int    // of those answered: by attempts after the first, since they were last asked again
	flood                *flood // unpaced sweeps only
	sending              bool
	end                  int32         // milliseconds after the start at which sending got as far as it did
	slack                time.Duration // real
	decided              Instant       // the latest watermark given out
	known                Instant       // as of the end of sending
}

// notice is an ICMP error about a probe.
type notice struct {
	kind, code uint8
	from       netip.Addr
	rtt        uint32
}

func newSweep(s *Sweeper, id uint32, o Order, cancel context.CancelFunc) *Sweep {
	now := s.cfg.Clock.Now()
	w := &Sweep{
		sweeper: s, id: id, order: o, cancel: cancel,
		plan:    NewPlan(o.Seed, o.Span, o.Aims),
		origin:  now.Add(-time.Duration(now.Nanosecond()) % time.Millisecond),
		base:    time.Now(),
		sentAll: make(chan struct{}), done: make(chan struct{}), wake: make(chan struct{}, 1),
		resent: map[attemptRef]resend{}, unmade: map[attemptRef]error{}, notices: map[uint32]notice{},
		counts: make([]aimCount, len(o.Aims)), sending: true,
	}
	n := 0
	for _, aim := range o.Aims {
		w.first = append(w.first, n)
		n += aim.Targets.Len()
		if t, ok := s.wires[aim.Protocol.kind].(tended); ok && !slices.Contains(w.tendable, t) {
			w.tendable = append(w.tendable, t)
		}
	}
	w.first = append(w.first, n)
	w.table = make([]service, n)
	w.log = make([]attemptRef, 0, n)
	w.eased = w.easy()
	w.undecided = n
	w.decided = InstantOf(w.origin) - 1
	if o.Span == 0 {
		w.flood = newFlood()
	}
	if s.cfg.Clock.Scale() > 1 {
		w.slack = slackStep
	}
	return w
}

// shots walks a plan with a look at what comes next.
type shots struct {
	next Shot
	more bool
	then []Shot // after next, as far as somebody has looked
	walk *walk
}

func (s *shots) open(p *Plan) {
	s.walk = p.walk()
	s.next, s.more = s.walk.next()
}

func (s *shots) advance() {
	if len(s.then) == 0 {
		s.next, s.more = s.walk.next()
		return
	}
	s.next = s.then[0]
	s.then = append(s.then[:0], s.then[1:]...)
}

// after is the k-th shot after next, from 0 on.
func (s *shots) after(k int) (shot Shot, ok bool) {
	for len(s.then) <= k {
		if shot, ok = s.walk.next(); !ok {
			return shot, false
		}
		s.then = append(s.then, shot)
	}
	return s.then[k], true
}

// run sends, decides, and lingers for late replies until everything is over or ctx ends.
func (w *Sweep) run(ctx context.Context) {
	defer close(w.done)
	w.watchOurSide()
	if w.flood != nil {
		for _, dropped := range w.ours.dropped {
			w.flood.droppedSeen += dropped
		}
	}
	defer w.ours.path.close()
	defer w.ours.backlog.close()
	defer w.sweeper.drop(w)
	w.shots.open(w.plan)
	for ctx.Err() == nil && w.step(ctx) {
	}
	w.read()
	w.tend(false)
	w.finish()
	close(w.sentAll)
	w.linger(ctx)
	w.forget(time.Duration(1 << 62))
}

// step does what is due and sleeps until more is. It reports whether a probe is still undecided.
func (w *Sweep) step(ctx context.Context) bool {
	w.read()
	w.tend(w.flooding())
	w.expire(time.Since(w.base))
	w.forget(time.Since(w.base) - w.sweeper.cfg.LateWindow)
	sent, wait := w.sendDue(ctx)
	w.mu.Lock()
	left := w.undecided
	if sent == 0 && left > 0 {
		wait = min(wait, w.untilTimeout(time.Since(w.base))+w.leisure())
	}
	w.mu.Unlock()
	if left > 0 && sent == 0 {
		w.sleep(ctx, wait)
	}
	return left > 0
}

// sendLeisure is how long the probe of a service that is not expected to answer may wait for others to be sent, so as to wake
// up once for all. A round tells no send time of a silent service but the plan's, and PlanTolerance allows for it.
const sendLeisure = 350 * time.Millisecond

// easy reports whether there is anything to gain: not where probes are far apart, and where they are close together they
// would leave in bursts.
func (w *Sweep) easy() bool {
	if w.leisure() == 0 || w.order.Usual == nil || len(w.table) == 0 {
		return false
	}
	apart := w.order.Span / time.Duration(len(w.table))
	return apart <= sendLeisure && apart >= sendLeisure/8
}

// ease is how long after its time a shot may be sent.
func (w *Sweep) ease(shot *Shot) time.Duration {
	if !w.eased {
		return 0
	}
	if aim := &w.order.Aims[shot.Aim]; w.order.Usual(aim.Targets.Addr(shot.Target), aim.Protocol) {
		return 0
	}
	return sendLeisure
}

// untilShots is how long after a time a shot must be sent, by when others may have come due.
func (w *Sweep) untilShots(now time.Duration) time.Duration {
	last := w.shots.next.At + w.ease(&w.shots.next)
	for k := 0; ; k++ {
		shot, ok := w.shots.after(k)
		if !ok || shot.At >= last {
			return last - now
		}
		last = min(last, shot.At+w.ease(&shot))
	}
}

// timeoutLeisure is how long the look at a timeout may wait for the next probe to be sent, so as to wake up once for both.
const timeoutLeisure = 350 * time.Millisecond

// leisure is that of a paced sweep: an unpaced one is to be over soon, and on a scaled clock it would be long.
func (w *Sweep) leisure() time.Duration {
	if w.order.Span == 0 || w.sweeper.cfg.Clock.Scale() > 1 {
		return 0
	}
	return timeoutLeisure
}

// longestSleep bounds a wait whose end is not known.
const longestSleep = time.Second

// sleep waits for a while, or for a call, or for ctx.
func (w *Sweep) sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	d = min(d, longestSleep)
	began := time.Since(w.base)
	timer := time.NewTimer(d)
	defer timer.Stop()
	if d > floodTick { // in less no buffer fills up
		defer w.tend(w.tending)
		w.tend(false)
	}
	select {
	case <-ctx.Done():
	case <-w.wake:
	case <-timer.C:
	}
	w.slept(began, d)
}

// call wakes the sending goroutine.
func (w *Sweep) call() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// untilTimeout is how long it takes until the next timeout is to be looked at.
func (w *Sweep) untilTimeout(now time.Duration) time.Duration {
	if w.expired == len(w.log) || w.doubting() {
		return longestSleep
	}
	return max(w.sentOf(w.log[w.expired])+w.sweeper.cfg.Timeout-now, lookEvery)
}

// finish ends sending: what is still undecided is unsent. In an unpaced sweep that was broken off, who was silent for a timeout
// waited only to be doubted.
func (w *Sweep) finish() {
	w.sure = true
	w.look(true)
	over := w.timedOut(time.Since(w.base))
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ref := range over {
		w.silence(ref.service())
	}
	w.sending, w.known = false, w.inFlight()
	for i := range w.table {
		if !w.table[i].decided() {
			w.decide(i, Unsent)
		}
	}
}

// linger waits until no late reply counts any more.
func (w *Sweep) linger(ctx context.Context) {
	for ctx.Err() == nil {
		w.mu.Lock()
		wait := time.Duration(0)
		if n := len(w.log); n > 0 && w.anySilent() {
			wait = w.sentOf(w.log[n-1]) + w.sweeper.cfg.LateWindow - time.Since(w.base)
		}
		w.mu.Unlock()
		if wait <= 0 {
			return
		}
		w.sleep(ctx, wait)
		w.forget(time.Since(w.base) - w.sweeper.cfg.LateWindow)
	}
}

func (w *Sweep) anySilent() bool {
	for i := range w.counts {
		if c := &w.counts[i].outcomes; c[Timeout]+c[Unreachable] > 0 {
			return true
		}
	}
	return false
}

// forgetAtOnce is how many attempts are forgotten at a time: the list of a whole sweep's would be as large as its table.
const forgetAtOnce = 4096

// forget tells the wires that attempts sent before a real time are awaited no more.
func (w *Sweep) forget(before time.Duration) {
	for more := true; more; {
		var old [kindDNS + 1][]Ticket
		old, more = w.forgettable(before)
		for kind, tickets := range old {
			if len(tickets) > 0 {
				w.sweeper.wires[kind].Forget(tickets)
			}
		}
	}
}

// forgettable takes the next such attempts from the log, by kind of protocol, and says whether there may be more.
func (w *Sweep) forgettable(before time.Duration) (old [kindDNS + 1][]Ticket, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	end := len(w.log)
	if w.sending {
		end = w.expired // what was not looked at may yet be looked for
	}
	for range forgetAtOnce {
		if w.forgotten == end || w.sentOf(w.log[w.forgotten]) > before {
			return old, false
		}
		ref := w.log[w.forgotten]
		kind := w.protocol(ref.service()).kind
		w.remember(ref)
		old[kind] = append(old[kind], makeTicket(w.id, ref.service(), ref.attempt()))
		w.forgotten++
	}
	return old, true
}

// remember keeps what a wire that is about to forget an attempt knows against it, where the service is still to be judged: a
// later attempt may outlive the late window of this one. The caller holds the lock.
func (w *Sweep) remember(ref attemptRef) {
	if w.table[ref.service()].decided() {
		return
	}
	if err := w.keptBack(ref); err != nil {
		w.unmade[ref] = err
	}
}

// Sent is closed when sending, retries included, has ended and every probe is decided but for late replies.
func (w *Sweep) Sent() <-chan struct{} { return w.sentAll }

// Done is closed when the late window is over too, or the context ended: Round is final.
func (w *Sweep) Done() <-chan struct{} { return w.done }

// Progress is the number of probes sent, planned and answered so far; retries do not count.
func (w *Sweep) Progress() (sent, planned, answered int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sentProbes, len(w.table), w.answered
}

func (w *Sweep) addStats(all map[Protocol]ProtocolStats) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.counts {
		w.counts[i].addTo(all, w.order.Aims[i].Protocol)
	}
}

// aimOf is the aim that a service belongs to.
func (w *Sweep) aimOf(service int) int {
	return sort.Search(len(w.order.Aims), func(k int) bool { return w.first[k+1] > service })
}

func (w *Sweep) protocol(service int) Protocol { return w.order.Aims[w.aimOf(service)].Protocol }

func (w *Sweep) target(service int) netip.Addr {
	aim := w.aimOf(service)
	return w.order.Aims[aim].Targets.Addr(service - w.first[aim])
}

// sentOf is when an attempt was sent, in real time after the base.
func (w *Sweep) sentOf(ref attemptRef) time.Duration {
	if ref.attempt() == 0 {
		return w.table[ref.service()].sent()
	}
	return w.resent[ref].sent
}

// offsetOf is when an attempt was sent, in milliseconds on the clock after the start.
func (w *Sweep) offsetOf(ref attemptRef) int32 {
	if ref.attempt() == 0 {
		return w.table[ref.service()].offset
	}
	return w.resent[ref].offset
}

// tickets are those of every attempt made at a target, newest first.
func (w *Sweep) tickets(target netip.Addr, p Protocol) []Ticket {
	aim := slices.IndexFunc(w.order.Aims, func(a Aim) bool { return a.Protocol == p })
	if aim < 0 {
		return nil
	}
	i, ok := w.order.Aims[aim].Targets.Index(target)
	if !ok {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	service := w.first[aim] + i
	var tickets []Ticket
	for n := w.table[service].attempts() - 1; n >= 0; n-- {
		tickets = append(tickets, makeTicket(w.id, service, n))
	}
	return tickets
}

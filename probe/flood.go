package probe

import (
	"math"
	"sort"
	"time"
)

// flood decides how fast an unpaced sweep sends: as fast as nothing is lost. Three things lose packets: our receive
// buffer, which the kernel lets us watch; our own full queues, which fail a send; and a queue on the way to the targets,
// which is silent. Against the last it estimates which share of the targets answers, lets no more than a window of packets
// be on the way as far as the answers tell, and where a run of packets brings far fewer than promised, halves its pace.
// What it cannot see is lost all the same: at the end the silent are asked again, more slowly, for as long as that finds life.
// A silent target is waited for no longer than answers usually take.
//
// Times are real, after the sweep's base. The sweep's lock guards it.
type flood struct {
	rate     float64 // packets a second
	level    float64 // packets that may be sent at once
	at       time.Duration
	window   float64       // packets that may be on their way, as far as answers tell
	patience time.Duration // after which an answer is no longer expected

	srtt, rttvar time.Duration // RFC 6298
	live         float64       // share of the probed that answer; unknown: 1
	known        bool
	blocked      bool // sending waits for answers

	batches     []sending // from the first on of which an answer is expected yet, oldest first
	out, fresh  int       // of them: packets without an answer, packets
	run         sending   // batches of which no answer is expected any more, until there are enough to judge
	judging     bool
	slowed      bool // packets were seen lost
	droppedSeen uint64
}

// sending is packets sent at about one time.
type sending struct {
	at             time.Duration
	sent, answered int
}

const (
	floodRate      = 50_000  // packets a second at first
	floodBlindRate = 100_000 // the most while few answers tell whether packets arrive; and at once where the first are all answered
	floodTopRate   = 250_000
	floodLowRate   = 1_000
	floodBurst     = 500
	floodWindow    = 256 // a responder's queue may hold 500, a default receive buffer 270
	floodTopWindow = 8192
	floodLowWindow = 32
	floodRun       = 256 // packets that are judged together
	floodTelling   = 0.25
	floodBlind     = 1.0 / 256 // share of answers below which none stand out for long enough to tell
	firstPatience  = 100 * time.Millisecond
	leastPatience  = 20 * time.Millisecond
	mostPatience   = time.Second
	floodTick      = 2 * time.Millisecond
	fullQueue      = 0.25 // of the receive buffer: beyond this, sending waits for reading
)

func newFlood() *flood {
	return &flood{rate: floodRate, level: batchLimit, window: floodWindow, patience: firstPatience, live: 1, judging: true}
}

// allow says how many packets may be sent now, or how long to wait.
func (f *flood) allow(now time.Duration) (n int, wait time.Duration) {
	f.settle(now)
	f.level = min(f.level+float64(f.rate*(now-f.at).Seconds()), max(1, float64(f.rate*floodTick.Seconds()*2)), floodBurst)
	f.at = now
	room := f.room()
	f.blocked = room < 1
	switch {
	case f.blocked:
		return 0, 2 * floodTick // or until the next answer
	case f.level < f.portion():
		return 0, floodTick
	}
	return int(min(f.level, room, batchLimit)), 0
}

// portion is how many packets are sent at once at least: each look at what is due costs as much as several packets.
func (f *flood) portion() float64 {
	return min(max(1, float64(f.rate*floodTick.Seconds())), batchLimit)
}

// room is how many packets may join those on their way: an answer that stands out means 1/live packets that do.
func (f *flood) room() float64 {
	if f.live < floodBlind {
		return batchLimit
	}
	excess := float64(f.out) - float64((1-f.live)*float64(f.fresh))
	return f.window - excess/f.live
}

// send notes packets that are being sent.
func (f *flood) send(now time.Duration, n int) {
	f.level -= float64(n)
	f.out += n
	f.fresh += n
	f.batches = append(f.batches, sending{at: now, sent: n})
}

// answer notes an answer to a packet sent at a time.
func (f *flood) answer(sent, rtt time.Duration) {
	f.measure(rtt)
	k := sort.Search(len(f.batches), func(k int) bool { return f.batches[k].at > sent }) - 1
	if k >= 0 {
		f.batches[k].answered++
		f.out--
	}
}

// measure follows the round-trip time.
func (f *flood) measure(rtt time.Duration) {
	if f.srtt == 0 {
		f.srtt, f.rttvar = rtt, rtt/2
	}
	f.rttvar = (3*f.rttvar + (f.srtt - rtt).Abs()) / 4
	f.srtt = (7*f.srtt + rtt) / 8
	f.patience = min(max(2*f.srtt+4*f.rttvar, leastPatience), mostPatience)
}

// settle moves batches that are answered, or older than patience, into the run, in their order, and judges the run when it is long
// enough.
func (f *flood) settle(now time.Duration) {
	k := 0
	for _, b := range f.batches {
		if b.at+f.patience >= now && b.answered != b.sent {
			break
		}
		k++
		f.out -= b.sent - b.answered
		f.fresh -= b.sent
		f.run.sent += b.sent
		f.run.answered += b.answered
		if f.run.sent >= floodRun {
			f.judge()
		}
	}
	f.batches = f.batches[k:]
}

// judge compares what the run answered with what was promised.
func (f *flood) judge() {
	run := f.run
	f.run = sending{}
	if !f.judging {
		return
	}
	n, share := float64(run.sent), float64(run.answered)/float64(run.sent)
	spread := math.Sqrt(float64(n * float64(f.live*(1-f.live))))
	switch {
	case !f.known:
		f.live, f.known = share, true
		if run.answered == run.sent {
			f.rate = floodBlindRate
		}
	case float64(run.answered) < float64(n*f.live)-4*spread-1:
		f.slow()
		f.window = max(f.window/2, floodLowWindow)
		f.live += (share - f.live) / 16
	default:
		f.live += (share - f.live) / 4
		f.window = min(f.window+floodLowWindow, floodTopWindow)
		top := float64(floodTopRate)
		if f.live < floodTelling {
			top = max(f.rate, floodBlindRate)
		}
		f.rate = min(f.rate*1.25, top)
	}
}

// slow halves the pace.
func (f *flood) slow() { f.rate, f.slowed = max(f.rate/2, floodLowRate), true }

// dropped notes how many packets the kernel has dropped on our side by now.
func (f *flood) dropped(total uint64) {
	if total > f.droppedSeen {
		f.slow()
		f.window = max(f.window/2, floodLowWindow)
	}
	f.droppedSeen = total
}

// allowFlood says how many packets an unpaced sweep may send now, or how long to wait.
func (w *Sweep) allowFlood() (n int, wait time.Duration) {
	full, dropped := 0.0, uint64(0)
	for _, b := range w.buffers() {
		full, dropped = max(full, b.full), dropped+b.dropped
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Since(w.base)
	w.flood.dropped(dropped)
	if full > fullQueue {
		return 0, floodTick
	}
	return w.flood.allow(now)
}

package probe

import (
	"math"
	"slices"
)

// Range is a range of time; To is not part of it.
type Range struct{ From, To Instant }

// vantageJudge tells from pings to the references when our own connectivity was bad. It is pure: pings are begun in order
// of their send times, end in any order, and are judged in order of their send times.
//
// The vantage is good while at least half of the references answered their latest ping, of all and of each group, and sick
// when it was not for the patience. A bad range begins at the last moment by which half of the references had answered later
// pings, and ends when half do again, so that it contains the fault whichever references were asked when.
type vantageJudge struct {
	patience int64   // milliseconds on the clock
	groups   [][]int // of references; the first is all

	answering []bool     // by reference: the latest judged ping
	lastOK    []Instant  // by reference: send time of the latest answered ping
	queue     []*refPing // begun, not yet judged

	state   vantageState
	since   Instant // of the state
	settled Instant
	latest  Instant // send time of the last judged ping
	bad     []Range // over; ascending
	open    Instant // while not good: the beginning of what may become a bad range
}

type vantageState uint8

const (
	vantageSuspect vantageState = iota // fewer than half answer, not for long
	vantageGood
	vantageSick
)

// refPing is one ping to a reference.
type refPing struct {
	ref      int
	sent     Instant
	answered Instant // not before sent; 0: no answer
	over     bool
}

// keptRanges is how many bad ranges are remembered.
const keptRanges = 1000

// newVantageJudge knows nothing yet, and so suspects: a process that starts without a network is sick from then on. Groups
// are of references, beside all of them.
func newVantageJudge(references int, groups [][]int, patience int64, now Instant) *vantageJudge {
	all := make([]int, references)
	for i := range all {
		all[i] = i
	}
	return &vantageJudge{
		patience: patience, groups: append([][]int{all}, groups...),
		answering: make([]bool, references), lastOK: make([]Instant, references),
		since: now, settled: now, latest: now, open: now,
	}
}

// begin notes that a ping to a reference is sent.
func (j *vantageJudge) begin(ref int, sent Instant) *refPing {
	p := &refPing{ref: ref, sent: sent}
	j.queue = append(j.queue, p)
	return p
}

// end notes when a ping was answered, 0 for never, and judges every ping that waited for no other.
func (j *vantageJudge) end(p *refPing, answered Instant) {
	p.answered, p.over = answered, true
	for len(j.queue) > 0 && j.queue[0].over {
		j.judge(j.queue[0])
		j.queue = j.queue[1:]
	}
}

// count is the number of references that answer.
func (j *vantageJudge) count() int {
	n := 0
	for _, ok := range j.answering {
		if ok {
			n++
		}
	}
	return n
}

// judge takes in the next ping by order of sending.
func (j *vantageJudge) judge(p *refPing) {
	if p.sent < j.latest {
		j.setBack(p.sent)
	}
	j.latest = p.sent
	j.answering[p.ref] = p.answered != 0
	if p.answered != 0 {
		j.lastOK[p.ref] = p.sent
	}
	if j.halfAnswer() {
		j.good(p)
		return
	}
	if j.state == vantageGood {
		j.enter(vantageSuspect, p.sent)
		j.open = j.settled
	}
	if j.state == vantageSuspect && int64(p.sent-j.since) >= j.patience {
		j.enter(vantageSick, p.sent)
	}
	if j.state == vantageSick {
		j.settled = max(j.settled, p.sent)
	}
}

// halfAnswer reports whether half of the references do, of all and of each group.
func (j *vantageJudge) halfAnswer() bool {
	for _, group := range j.groups {
		n := 0
		for _, i := range group {
			if j.answering[i] {
				n++
			}
		}
		if 2*n < len(group) {
			return false
		}
	}
	return true
}

func (j *vantageJudge) enter(s vantageState, at Instant) { j.state, j.since = s, at }

// good notes that at least half of the references answer.
func (j *vantageJudge) good(p *refPing) {
	if j.state == vantageSick || j.state == vantageSuspect && int64(p.sent-j.since) >= j.patience {
		end := max(p.answered, p.sent) + 1
		j.bad = append(j.bad, Range{j.open, end})
		j.bad = j.bad[max(0, len(j.bad)-keptRanges):]
		j.settled = max(j.settled, end)
	}
	if j.state != vantageGood {
		j.enter(vantageGood, p.sent)
	}
	j.settled = max(j.settled, j.halfAnswered())
}

// halfAnswered is the latest moment after which, or at which, half of the references, of all and of each group, were sent a
// ping that they answered.
func (j *vantageJudge) halfAnswered() Instant {
	first := Instant(math.MaxInt64)
	for _, group := range j.groups {
		times := make([]Instant, len(group))
		for k, i := range group {
			times[k] = j.lastOK[i]
		}
		slices.Sort(times)
		half := (len(times) + 1) / 2
		first = min(first, times[len(times)-half])
	}
	return first
}

// setBack begins anew at a moment before the last judged one: the wall clock was set back, and of what comes again
// nothing is settled.
func (j *vantageJudge) setBack(now Instant) {
	for i := range j.lastOK {
		j.lastOK[i] = min(j.lastOK[i], now)
	}
	j.bad = slices.DeleteFunc(j.bad, func(r Range) bool { return r.From >= now })
	if n := len(j.bad); n > 0 {
		j.bad[n-1].To = min(j.bad[n-1].To, now)
	}
	j.settled, j.open, j.since = min(j.settled, now), min(j.open, now), min(j.since, now)
}

// ranges is what of [from, to) is known to be bad.
func (j *vantageJudge) ranges(from, to Instant) []Range {
	bad := j.bad
	if j.state == vantageSick {
		bad = append(slices.Clip(bad), Range{j.open, j.settled})
	}
	var in []Range
	for _, r := range bad {
		r = Range{max(r.From, from), min(r.To, to)}
		if r.From < r.To {
			in = append(in, r)
		}
	}
	return in
}

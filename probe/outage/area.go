package outage

import (
	"net/netip"
	"slices"

	"brownout/probe"
)

// area is a prefix, or one protocol of a block, whose run of silence since its last life is weighed.
type area struct {
	Prefix netip.Prefix  // zero for the space and for protocols
	Lived  probe.Instant // send time of the last answered probe; 0: none
	Run    []silence     // since then, in the order seen; the oldest of a long run are dropped
	Weight int64         // micro-nats against "up" in the whole run
	First  probe.Instant // send time of the run's first silence
	Sure   probe.Instant // when the weight reached bounded; 0: not yet

	Relit Interval      // when the latest run of silence that is no chance ended
	Ended []silence     // that run
	Reply probe.Instant // send time of the reply that ended it

	Usual int // addresses that usually answer
}

// silence is an expected reply that did not come.
type silence struct {
	From, To probe.Instant // bounds of its send time
	Host     int32
	Weight   int64 // micro-nats against "up", given what was silent before
	Alone    int64 // the same, given nothing
}

const longestRun = 64

// dark adds a silence. One sent before the last life says nothing of the time since, but it may say when life began.
func (a *area) dark(s silence, slack int64) {
	if s.From <= a.Lived {
		if s.From < a.Reply && len(a.Ended) > 0 {
			a.Ended = add(a.Ended, s)
			a.relight(a.Relit.Latest)
		}
		return
	}
	if len(a.Run) == 0 {
		a.First = s.From
	}
	a.Run = add(a.Run, s)
	a.Weight += s.Weight
	if a.Sure == 0 && a.Weight >= bounded {
		a.Sure = s.To.Add(slack)
	}
}

// add keeps the youngest of a run.
func add(run []silence, s silence) []silence {
	if len(run) == longestRun {
		run = slices.Delete(run, 0, longestRun/2)
	}
	return append(run, s)
}

// lit adds life of a probe sent at from that arrived at arrived.
func (a *area) lit(from, arrived probe.Instant, slack int64) {
	if from < a.Lived {
		return
	}
	if a.Sure != 0 {
		a.Ended, a.Reply = slices.Clone(a.Run), from
		a.relight(arrived)
	}
	a.Lived = from
	rest := a.Run
	a.Run, a.Weight, a.First, a.Sure = a.Run[:0], 0, 0, 0
	for _, s := range rest {
		a.dark(s, slack)
	}
}

// relight bounds when the run that ended did: after the silence before which the area cannot have been up again, and
// before the reply arrived. It is done anew with every silence that was sent before the reply and is seen after it.
func (a *area) relight(arrived probe.Instant) {
	last := a.Ended[0].From
	for _, s := range a.Ended {
		if s.From <= a.Reply {
			last = max(last, s.From)
		}
	}
	a.Relit = Interval{Earliest: a.darkUntil(), At: last + (max(a.Reply, last)-last)/2, Latest: arrived}
}

// darkUntil walks back from the reply to the silence before which the area cannot have been up again.
func (a *area) darkUntil() probe.Instant {
	var sum int64
	for i := len(a.Ended) - 1; i >= 0; i-- {
		s := &a.Ended[i]
		if s.From > a.Reply || heardLater(a.Ended[i+1:], s.Host) {
			continue
		}
		if sum += s.Alone; sum >= bounded {
			return s.From
		}
	}
	return a.Ended[0].From
}

func heardLater(run []silence, host int32) bool {
	for i := range run {
		if run[i].Host == host {
			return true
		}
	}
	return false
}

// weightBefore is the odds of the part of the run that was sent before a moment. What a long run has dropped was.
func (a *area) weightBefore(t probe.Instant) int64 {
	if len(a.Run) == 0 || t <= a.Run[0].From {
		return 0
	}
	sum := a.Weight
	for i := range a.Run {
		if a.Run[i].From >= t {
			sum -= a.Run[i].Weight
		}
	}
	return sum
}

// start bounds when the run of silence began.
func (a *area) start() Interval {
	in := Interval{Earliest: a.Lived, At: a.First, Latest: a.Sure}
	if a.Lived != 0 {
		in.At = a.Lived + (a.First-a.Lived)/2
	} else {
		in.Earliest = a.First
	}
	if in.Latest == 0 && len(a.Run) > 0 {
		in.Latest = a.Run[len(a.Run)-1].To
	}
	in.Latest = max(in.Latest, in.At)
	return in
}

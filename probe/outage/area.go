package outage

import (
	"cmp"
	"net/netip"
	"slices"

	"brownout/probe"
)

// area is a prefix, or one protocol of a block, whose run of silence since its last life is weighed.
type area struct {
	Prefix netip.Prefix  // zero for the space and for protocols
	Lived  probe.Instant // send time of the last answered probe; 0: none
	By     probe.Instant // by when that was sent, where nobody tells when
	Across straddlers    // silences that may have been sent before it or after
	Run    []silence     // since then, in the order seen; the oldest of a long run are dropped
	Weight int64         // micro-nats against "up" in the whole run
	First  probe.Instant // send time of the run's first silence
	Sure   probe.Instant // when the weight reached bounded; 0: not yet
	Onset  centre        // of the run
	Asleep probe.Instant // when the rest of its block was last seen to be as silent

	Relit Interval      // when the latest run of silence that is no chance ended
	Ended []silence     // that run
	Reply probe.Instant // send time of the reply that ended it
	Until probe.Instant // by when that was sent
	Began probe.Instant // send time of that run's first silence, which may have been dropped

	Usual int // addresses that usually answer
}

// silence is an expected reply that did not come.
type silence struct {
	From, To probe.Instant // bounds of its send time
	Host     int32
	Code     uint32 // of the protocol
	Weight   int64  // micro-nats against "up", given what was silent before
	Alone    int64  // millionths: the chance of it while up and the path is good, given nothing
}

// straddlers are silences of a round that an area's last life was in: of none it is known whether it came before that or after.
type straddlers struct {
	N      int64
	Weight int64         // micro-nats, together
	By     probe.Instant // by when they were sent
}

func (b *straddlers) add(s silence) { b.N, b.Weight, b.By = b.N+1, b.Weight+s.Weight, max(b.By, s.To) }

// spread has a centre know of them as sent evenly from its beginning on: where an area went dark, those who were still to be asked
// in the round are the silent of it.
func (b *straddlers) spread(c *centre) {
	for i := range b.N {
		c.stretch(int64(b.By-c.From)*(i+1)/(b.N+1), b.Weight*i/b.N)
	}
}

const longestRun = 128

// dark adds a silence. One sent before the last life says nothing of the time since, but it may say when life began.
func (a *area) dark(s silence, slack int64) {
	if s.From <= a.Lived {
		if s.To > a.By {
			a.Across.add(s)
		}
		if s.From < a.Reply && len(a.Ended) > 0 {
			if s.sentBy(a.Until) == million {
				a.Ended = add(a.Ended, s)
			} else if len(a.Ended) < 2*longestRun { // who may as well have been asked later takes no room from who was not
				a.Ended = append(a.Ended, s)
			}
			a.relight(a.Relit.Latest)
		}
		return
	}
	if len(a.Run) == 0 {
		a.First = s.From
		a.Onset = centre{From: cmp.Or(a.Lived, s.From)}
		a.Across.spread(&a.Onset)
	}
	a.Onset.stretch(int64(s.From-a.Onset.From), a.Across.Weight+a.Weight)
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

// lit adds life of a probe sent from one moment to another that arrived at arrived.
func (a *area) lit(from, to, arrived probe.Instant, slack int64) {
	if from < a.Lived {
		return
	}
	if a.Sure != 0 {
		a.Ended, a.Reply, a.Until, a.Began = slices.Clone(a.Run), from, to, a.First
		a.relight(arrived)
	}
	a.Lived, a.By, a.Across = from, to, straddlers{}
	rest := a.Run
	a.Run, a.Weight, a.First, a.Sure = a.Run[:0], 0, 0, 0
	for _, s := range rest {
		a.dark(s, slack)
	}
}

// relight bounds when the run that ended did: after the silence before which the area cannot have been up again, and
// before the reply arrived. It is done anew with every silence that was sent before the reply and is seen after it.
func (a *area) relight(arrived probe.Instant) {
	a.Relit = Interval{Earliest: min(a.Began, a.Ended[0].From), Latest: arrived}
	back := centre{From: a.Until} // backwards from the reply, as is the path; so what may have been sent later comes first
	way := path{At: -EndOfTime}
	way.take(&sample{From: -a.Until, Life: true})
	var sum int64
	across := int64(0) // of the reply's round, sent before it or after
	for i := range a.Ended {
		if s := &a.Ended[i]; s.From <= a.Reply && s.sentBy(a.Until) < million {
			across++
		}
	}
	for i, k := len(a.Ended)-1, int64(0); i >= 0; i-- {
		s := &a.Ended[i]
		if s.From > a.Reply {
			continue
		}
		sent, by := min(s.To, a.Until), s.sentBy(a.Until)
		if by < million { // as if they had been sent evenly until then
			k++
			sent = a.Until.Add(-int64(a.Until-s.From) * k / (across + 1))
		}
		back.stretch(int64(a.Until-sent), sum)
		silent := sample{From: -sent, Odds: int32(s.Alone)}
		way.take(&silent)
		alone := silent.silence()
		news := weight(alone) - weight(by+(million-by)*alone/million)
		if by == million && a.heardLater(i) {
			news = min(news, s.Weight) // of two silences of a host, each says as much of the other
		}
		if sum += news; sum >= bounded {
			a.Relit.Earliest = s.From
			break
		}
	}
	a.Relit.At = max(a.Relit.Earliest, a.Until.Add(-back.mean()))
}

// centre is the mean of a moment between observations, every instant being as likely as the silences before it (after it,
// backwards) are by chance: of the change from life to silence the posterior mean, given a prior that favours no instant.
type centre struct {
	From         probe.Instant
	Reached      int64 // milliseconds from there
	Mass, Moment float64
}

// stretch goes on to a silence that many milliseconds from the beginning; weight is that of all silences before it.
func (c *centre) stretch(to, weight int64) {
	if to <= c.Reached {
		return
	}
	likely := float64(decay(weight, microLn2)) / million
	mass := float64(float64(to-c.Reached) * likely)
	c.Mass += mass
	c.Moment += float64(mass * float64(to+c.Reached) / 2)
	c.Reached = to
}

// mean is the centre, in milliseconds from the beginning.
func (c *centre) mean() int64 {
	if c.Mass == 0 {
		return c.Reached
	}
	return int64(c.Moment / c.Mass)
}

// sentBy is the chance, in millionths, that a silence was sent by a moment: where nobody tells when in its round it was, and a reply
// came in the midst of that, it may well have been sent after the reply, and by its host's own fault.
func (s *silence) sentBy(t probe.Instant) int64 { return chanceBy(s.From, s.To, t) }

// chanceBy is the chance, in millionths, that what was sent from one moment to another had been by t.
func chanceBy(from, to, t probe.Instant) int64 {
	if t >= to || to <= from.Add(probe.PlanTolerance.Milliseconds()) {
		return million
	}
	return max(int64(t-from), 0) * million / int64(to-from)
}

// lastSilence is when a service was last asked in vain in the run that ended; 0 where that is not kept.
func (a *area) lastSilence(s *service) probe.Instant {
	for i := len(a.Ended) - 1; i >= 0; i-- {
		if e := &a.Ended[i]; e.Host == s.Host && e.Code == s.Code && e.From <= a.Reply {
			return e.From
		}
	}
	return 0
}

// heardLater reports whether a host was silent again in the run that ended, before the reply.
func (a *area) heardLater(i int) bool {
	for k := i + 1; k < len(a.Ended); k++ {
		if s := &a.Ended[k]; s.Host == a.Ended[i].Host && s.sentBy(a.Until) == million {
			return true
		}
	}
	return false
}

// darkBefore reports whether it was certain before a moment that the area was dark.
func (a *area) darkBefore(t probe.Instant) bool {
	return a.Weight >= certain && a.weightBefore(t) >= certain
}

// weightBefore is the odds of the part of the run that was surely sent before a moment: of what a long run has dropped, as much
// as the time until then is of the time that it took.
func (a *area) weightBefore(t probe.Instant) int64 {
	if len(a.Run) == 0 || t <= a.First {
		return 0
	}
	sum := a.Weight
	for i := range a.Run {
		if s := &a.Run[i]; s.From >= t || s.To > t && s.To > s.From.Add(probe.PlanTolerance.Milliseconds()) {
			sum -= s.Weight
		}
	}
	if dropped := int64(a.Run[0].From - a.First); t < a.Run[0].From {
		return sum * (int64(t-a.First) * million / dropped) / million
	}
	return sum
}

// start bounds when the run of silence began.
func (a *area) start() Interval {
	in := Interval{Earliest: cmp.Or(a.Lived, a.First), At: a.Onset.From.Add(a.Onset.mean()), Latest: a.Sure}
	if in.Latest == 0 && len(a.Run) > 0 {
		in.Latest = a.Run[len(a.Run)-1].To
	}
	in.Latest = max(in.Latest, in.At)
	return in
}

package notify

import (
	"brownout/probe"
	"brownout/probe/outage"
)

// How soon something is told, in milliseconds.
const (
	longestHold    = 10 * 60_000  // of what may be over before anybody could look
	pauseOfTotals  = 3600_000     // while grouped: between notices that tell of a total outage
	pauseOfOthers  = 6 * 3600_000 // while grouped: between notices
	burst          = 4            // notices within an hour, after which they are grouped too
	burstRemembers = 3600_000
)

// group is what is to be told of one subject.
type group struct {
	Held     []Transition    `json:"held,omitempty"` // not released yet
	Sent     []probe.Instant `json:"sent,omitempty"` // releases: those of the last hour, and the last
	Unstable bool            `json:"unstable,omitempty"`
	Fresh    bool            `json:"fresh,omitempty"` // that it is unstable has not been told
	Dark     bool            `json:"dark,omitempty"`  // a total outage was told of since it is unstable
}

// hold takes in what happened.
func (g *group) hold(t Transition) {
	if t.What == Opened {
		was := g.Unstable
		g.Unstable = t.unstable()
		g.Fresh = g.Unstable && !was
		g.Dark = g.Dark && g.Unstable
	}
	g.Held = append(g.Held, t)
}

// grouped reports whether what happens is told together.
func (g *group) grouped(now probe.Instant) bool {
	n := 0
	for _, t := range g.Sent {
		if t.Add(burstRemembers) > now {
			n++
		}
	}
	return g.Unstable || n >= burst
}

// due is when what is held is to be released; 0: nothing is held.
func (g *group) due(now probe.Instant, hold int64) probe.Instant {
	var due probe.Instant
	for i := range g.Held {
		if at := g.dueOf(&g.Held[i], now, hold); due == 0 || at < due {
			due = at
		}
	}
	return due
}

// dueOf is when one of what is held would be released, were it alone.
func (g *group) dueOf(t *Transition, now probe.Instant, hold int64) probe.Instant {
	if !g.grouped(now) {
		if t.Kind == outage.Partial && (t.What == Opened || t.What == BecamePartial) || t.What == VantageLost {
			return t.At.Add(hold) // unless it is over before
		}
		return t.At
	}
	last := g.Sent[max(0, len(g.Sent)-1):]
	switch {
	case len(last) == 0, g.Fresh && t.What == Opened, t.darkens() && !g.Dark:
		return t.At
	case t.isTotal():
		return max(t.At, last[0].Add(pauseOfTotals))
	}
	return max(t.At, last[0].Add(pauseOfOthers))
}

// release gives out what is held.
func (g *group) release(now probe.Instant) []Transition {
	list := g.Held
	g.Held, g.Fresh = nil, false
	for i := range list {
		g.Dark = g.Dark || list[i].darkens()
	}
	var recent []probe.Instant
	for _, t := range g.Sent {
		if t.Add(burstRemembers) > now {
			recent = append(recent, t)
		}
	}
	g.Sent = append(recent, now)
	return list
}

// idle reports whether the group need not be remembered.
func (g *group) idle(now probe.Instant) bool {
	return len(g.Held) == 0 && (len(g.Sent) == 0 || g.Sent[len(g.Sent)-1].Add(memory) < now)
}

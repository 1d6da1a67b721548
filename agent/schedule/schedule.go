// Package schedule says when a round, a core pass or a confirmation is due. It is pure: time comes in as arguments.
package schedule

import "brownout/probe"

// Schedule decides what is due. Its fields are set once; milliseconds on the sweep's clock.
type Schedule struct {
	Round int64 // from one full round's start to the next
	Core  int64 // from one core pass to the next; 0: none

	next     probe.Instant // when the next round is due; 0: at once
	nextCore probe.Instant
	asked    bool // for a confirmation
}

// Due is what is to be started now.
type Due struct {
	Full, Core, Confirm bool
	Missed              int64 // milliseconds by which a full round comes too late: they become a gap
	Late                int64 // milliseconds from when a full round was due until now
}

// Ask makes a confirmation due.
func (s *Schedule) Ask() { s.asked = true }

// Due says what is due at now, and takes it for started. A round that could not start for a whole interval is not made up
// for: the next starts at once, and the time between is a gap.
func (s *Schedule) Due(now probe.Instant) Due {
	var due Due
	if now >= s.next {
		due.Full = true
		late := int64(now - s.next)
		if s.next != 0 {
			due.Late = late
		}
		if due.Late >= s.Round {
			due.Missed = late
		}
		s.next = following(s.next, now, s.Round)
	}
	if s.Core > 0 && now >= s.nextCore {
		due.Core = s.nextCore != 0
		s.nextCore = following(s.nextCore, now, s.Core)
	}
	due.Confirm, s.asked = s.asked, false
	return due
}

// Next is when something is due next, as far as is known by now; what was asked for is due at once.
func (s *Schedule) Next(now probe.Instant) probe.Instant {
	switch {
	case s.asked:
		return now
	case s.Core > 0 && s.nextCore != 0:
		return min(s.next, s.nextCore)
	}
	return s.next
}

// following is the moment every milliseconds after one that was due, or after now where that would be past.
func following(due, now probe.Instant, every int64) probe.Instant {
	if next := due.Add(every); next > now {
		return next
	}
	return now.Add(every)
}

// Hold lets nothing be due before t.
func (s *Schedule) Hold(t probe.Instant) { s.next = max(s.next, t) }

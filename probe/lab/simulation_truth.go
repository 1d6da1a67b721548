package lab

import (
	"net/netip"
	"slices"

	"brownout/probe"
)

// Silent reports whether nobody in the prefixes (none: the space) answers anything that is sent at t, by whatever chance
// or event, the draws of single probes and our own failures aside; prefixes in which nobody lives are not. It must not be
// asked about what is long over.
func (s *Simulation) Silent(t probe.Instant, prefixes []netip.Prefix) bool {
	nobody := true
	for _, h := range s.hosts {
		a := h.stays[len(h.stays)-1].addr
		for k := len(h.stays) - 1; k > 0 && h.stays[k].from > t; k-- {
			a = h.stays[k-1].addr
		}
		if len(prefixes) > 0 && !within(prefixes, a) {
			continue
		}
		nobody = false
		if !h.lives(t) || h.path.at(t) && s.model.HostLoss.Loss == 0 {
			continue
		}
		if !slices.ContainsFunc(s.model.Events, func(e Event) bool {
			return e.at(t) && e.strikes(a) && (e.Effect == Darkens || e.Effect == Renumbers && h.chosen(&e) || e.Effect == Empties && h.chosen(&e))
		}) {
			return false
		}
	}
	return !nobody
}

// SilentFor is the longest time, in milliseconds, within [from, to) in which the prefixes were silent throughout, to the
// second.
func (s *Simulation) SilentFor(from, to probe.Instant, prefixes []netip.Prefix) int64 {
	longest, run := int64(0), int64(0)
	for t := from; t < to; t = t.Add(1000) {
		if !s.Silent(t, prefixes) {
			run = 0
			continue
		}
		run += 1000
		longest = max(longest, run)
	}
	return longest
}

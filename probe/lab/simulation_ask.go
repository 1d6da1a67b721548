package lab

import (
	"net/netip"
	"slices"

	"brownout/probe"
)

// Answers reports whether somebody answers what is sent to an address at t: probes of others than ours. It must not be
// asked about what is long over, nor about what no round has come to.
func (s *Simulation) Answers(a netip.Addr, p probe.Protocol, t probe.Instant) bool {
	return slices.ContainsFunc(s.hosts, func(h *dweller) bool {
		return slices.Contains(h.Protocols, p) && h.has(a, t) && s.answers(h, a, p, t)
	})
}

// Responding is how many hosts of a prefix are on at t, as far as their own spells and nights say.
func (s *Simulation) Responding(p netip.Prefix, t probe.Instant) (n int) {
	for _, h := range s.hosts {
		if a := h.stays[len(h.stays)-1].addr; p.Contains(a) && h.lives(t) {
			n++
		}
	}
	return n
}

// has reports whether an address is the host's at t.
func (h *dweller) has(a netip.Addr, t probe.Instant) bool {
	k := len(h.stays) - 1
	for k > 0 && h.stays[k].from > t {
		k--
	}
	return h.stays[k].addr == a
}

// Emptied is the share of the usual life of the prefixes that an [Empties] event silences, by whom it strikes.
func (s *Simulation) Emptied(e Event) float64 {
	struck, all := 0.0, 0.0
	for _, h := range s.hosts {
		if e.strikes(h.Address) {
			life := h.Availability * (1 - h.Night.Hours()/24)
			all += life
			if h.chosen(&e) {
				struck += life
			}
		}
	}
	return struck / max(all, 1e-9)
}

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

// has reports whether an address is the host's at t.
func (h *dweller) has(a netip.Addr, t probe.Instant) bool {
	k := len(h.stays) - 1
	for k > 0 && h.stays[k].from > t {
		k--
	}
	return h.stays[k].addr == a
}

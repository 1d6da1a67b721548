package store

import (
	"iter"
	"net/netip"
	"slices"
	"time"

	"brownout/probe"
)

// Sighting is what became of one address's probe by one protocol in one round.
type Sighting struct {
	Start    probe.Instant  `json:"start"` // of the round
	Kind     probe.Kind     `json:"kind"`
	Protocol probe.Protocol `json:"protocol"`
	Outcome  probe.Outcome  `json:"outcome"`
	Sent     *probe.Instant `json:"sent,omitempty"`   // of the deciding attempt; of a timeout the first; nil: unknown
	RTT      uint32         `json:"rtt_us,omitempty"` // microseconds; 0: none, or unknown
	Type     uint8          `json:"type,omitempty"`   // of an ICMP error
	Code     uint8          `json:"code,omitempty"`
	From     netip.Addr     `json:"from,omitzero"`
}

// Address yields what became of addr in the rounds that start from from on and before to, by start, then by protocol.
// Rounds that were not aimed at it yield nothing. An error ends it.
func (s *Store) Address(addr netip.Addr, from, to probe.Instant) iter.Seq2[Sighting, error] {
	addr = addr.Unmap()
	return func(yield func(Sighting, error) bool) {
		for r, err := range s.Rounds(from, to, false) {
			if err != nil {
				yield(Sighting{}, err)
				return
			}
			for i := range r.Passes {
				target, ok := r.Passes[i].Targets.Index(addr)
				if ok && !yield(sighting(r, i, int32(target)), nil) {
					return
				}
			}
		}
	}
}

// sighting is what became of a target of pass i.
func sighting(r *probe.Round, i int, target int32) Sighting {
	p := &r.Passes[i]
	seen := Sighting{Start: r.Start, Kind: r.Kind, Protocol: p.Protocol}
	if _, unsent := slices.BinarySearch(p.Unsent, target); unsent {
		seen.Outcome = probe.Unsent
		return seen
	}
	at, answered := slices.BinarySearchFunc(p.Answers, target, func(a probe.Answer, t int32) int { return int(a.Target - t) })
	if !answered {
		seen.Sent = silentSent(r, i, target)
		return seen
	}
	a := &p.Answers[at]
	seen.Outcome, seen.RTT, seen.Type, seen.Code, seen.From = a.Outcome, a.RTT, a.Type, a.Code, a.From
	seen.Sent = instantAt(r, a.Offset)
	return seen
}

func instantAt(r *probe.Round, offset int32) *probe.Instant {
	if offset == probe.UnknownOffset {
		return nil
	}
	at := r.Start.Add(int64(offset))
	return &at
}

// silentSent is when a silent target was first asked: as recorded, else as planned.
func silentSent(r *probe.Round, i int, target int32) *probe.Instant {
	p := &r.Passes[i]
	if len(p.SilentMS) > 0 {
		k := 0
		for t := range p.Silent() {
			if t == target {
				return instantAt(r, p.SilentMS[k])
			}
			k++
		}
	}
	if !r.Seeded || r.Span == 0 {
		return nil
	}
	return instantAt(r, int32(r.Plan().Offset(i, int(target))/time.Millisecond))
}

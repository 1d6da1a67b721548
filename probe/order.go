package probe

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Order is what one sweep is to probe.
type Order struct {
	Kind  Kind
	Space Space // recorded as the round's
	Aims  []Aim // one a protocol
	Seed  uint64
	// Span is on the clock, in whole milliseconds; 0: unpaced, as fast as completeness allows. Then all that are silent are asked
	// again, more slowly, for as long as that finds life.
	Span time.Duration

	// Usual says whether a silent service is asked again, as often as SweeperConfig.Retries says; nil: none is.
	Usual func(a netip.Addr, p Protocol) bool

	Vantage string // recorded
}

// ready is the order as it will be swept: aims by protocol, a span of whole milliseconds.
func (o Order) ready() (Order, error) {
	o.Aims = slices.Clone(o.Aims)
	slices.SortFunc(o.Aims, func(a, b Aim) int { return a.Protocol.Compare(b.Protocol) })
	o.Span = max(o.Span, 0).Truncate(time.Millisecond)
	n := 0
	for i, aim := range o.Aims {
		if i > 0 && o.Aims[i-1].Protocol == aim.Protocol {
			return o, fmt.Errorf("order a sweep: %s is aimed twice", aim.Protocol)
		}
		n += aim.Targets.Len()
	}
	if n == 0 {
		return o, fmt.Errorf("order a sweep: nothing to probe")
	}
	if n > maxServices {
		return o, fmt.Errorf("order a sweep: %d probes are more than the %d of one sweep", n, maxServices)
	}
	return o, nil
}

// families reports whether targets of a kind of protocol are IPv4 and IPv6.
func (o *Order) families(kind protocolKind) (v4, v6 bool) {
	for _, aim := range o.Aims {
		if aim.Protocol.kind == kind {
			is4, is6 := aim.Targets.families()
			v4, v6 = v4 || is4, v6 || is6
		}
	}
	return v4, v6
}

package notify

import (
	"fmt"

	"brownout/probe"
	"brownout/probe/outage"
)

// known is what was noted of an outage.
type known struct {
	Kind      outage.State  `json:"kind"` // partial or total
	Ended     probe.Instant `json:"ended,omitempty"`
	Revisions int           `json:"revisions,omitempty"`
	Count     int           `json:"count"` // transitions so far
}

// memory is how long an outage that ended may still be revised, in milliseconds: longer than any finding takes.
const memory = 30 * 24 * 3600_000

// follow is the transitions that lead from what is known of an outage to what it is now.
func (k *known) follow(o *outage.Outage, now probe.Instant) []Transition {
	var list []Transition
	note := func(what What, kind outage.State) {
		k.Count++
		list = append(list, Transition{ID: fmt.Sprintf("%s/%d", o.ID, k.Count), What: what, At: now, Kind: kind, Outage: o})
	}
	if k.Count == 0 {
		k.Kind = firstKind(o)
		note(Opened, k.Kind)
	}
	if is := lastKind(o); is != k.Kind && o.Status != outage.Ended { // at the end, a phase that was the end itself is taken back
		k.Kind = is
		note(map[outage.State]What{outage.Total: BecameTotal, outage.Partial: BecamePartial}[is], is)
	}
	if o.Status == outage.Ended && k.Ended == 0 {
		k.Ended = now
		note(Ended, outage.Up)
	}
	for ; k.Revisions < len(o.Revisions); k.Revisions++ {
		note(Revised, o.Revisions[k.Revisions].Kind)
	}
	return list
}

// firstKind is partial or total: what an outage began as. Where phases were taken back, it is what is left.
func firstKind(o *outage.Outage) outage.State {
	for _, p := range o.Phases {
		if p.Kind != outage.Unknown {
			return p.Kind
		}
	}
	return o.Kind
}

// lastKind is partial or total: what an outage was when it was last seen.
func lastKind(o *outage.Outage) outage.State {
	for i := len(o.Phases) - 1; i >= 0; i-- {
		if o.Phases[i].Kind != outage.Unknown {
			return o.Phases[i].Kind
		}
	}
	return o.Kind
}

package notify

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Planner decides what is told and when. What happens is put in as it is found; notices come out when they are due. Its
// state is to be committed with what it is told of and with what it gives out: then, whenever the agent dies, nothing is
// lost and nothing is told under two IDs. It is not safe for concurrent use.
//
// An outage that opens as total, or becomes so, is told at once, and so is the end of what was told. One that opens as
// partial, or becomes so, is told after a round, at most 10 minutes, or when it is over: a short one makes one notice. While a
// block is unstable, as three outages within six hours make it, that is told once, a first total outage at once, other
// changes of total outages at most every hour, and the rest every six hours, together. Four notices on one subject within an
// hour have the same effect.
type Planner struct {
	vantage string
	hold    int64 // milliseconds
	state   plannerState
	dirty   bool
}

type plannerState struct {
	Version int                   `json:"v"`
	Outages map[string]*known     `json:"outages"`
	Groups  map[string]*group     `json:"groups"`          // by subject
	Lost    bool                  `json:"lost,omitempty"`  // the vantage
	Count   uint64                `json:"count,omitempty"` // of transitions that are about no outage
	Active  map[string]Transition `json:"active"`          // what was told of and lasts, by subject
}

const plannerVersion = 1

// NewPlanner is one that knows nothing, for an agent of that name whose rounds take so long.
func NewPlanner(vantage string, round time.Duration) *Planner {
	return &Planner{
		vantage: vantage, hold: min(longestHold, round.Milliseconds()),
		state: plannerState{Version: plannerVersion, Outages: map[string]*known{}, Groups: map[string]*group{}, Active: map[string]Transition{}},
	}
}

// Restore takes up a state. Without one, outages that were found before and ended are nobody's news; those that last are.
func (p *Planner) Restore(state []byte, found []outage.Outage) error {
	if state != nil {
		fresh := NewPlanner(p.vantage, 0).state
		if err := json.Unmarshal(state, &fresh); err != nil || fresh.Version != plannerVersion {
			return fmt.Errorf("read what was told: version %d (%w)", fresh.Version, err)
		}
		p.state = fresh
		return nil
	}
	for i := range found {
		if o := &found[i]; o.Status == outage.Ended && o.End != nil {
			p.state.Outages[o.ID] = &known{Kind: o.Kind, Ended: o.End.At, Revisions: len(o.Revisions), Count: 1}
		} else {
			p.Outage(o, o.DeclaredAt)
		}
	}
	return nil
}

// State is what [Planner.Restore] takes up; nil: it is as when this was last asked.
func (p *Planner) State() []byte {
	if !p.dirty {
		return nil
	}
	p.dirty = false
	b, err := json.Marshal(p.state)
	if err != nil {
		panic(err) // every type in it marshals
	}
	return b
}

// Dirty reports whether there is something to be committed.
func (p *Planner) Dirty() bool { return p.dirty }

// Outage takes in an outage that is new or changed.
func (p *Planner) Outage(o *outage.Outage, now probe.Instant) {
	k := p.state.Outages[o.ID]
	if k == nil {
		if o.End != nil && o.End.At.Add(memory) < now {
			return
		}
		k = &known{}
		p.state.Outages[o.ID] = k
	}
	copied := *o
	copied.FillLists()
	for _, t := range k.follow(&copied, now) {
		p.put(o.Block, t)
	}
}

// Vantage takes in how our own connectivity is: sick, vouched for, or neither.
func (p *Planner) Vantage(h probe.VantageHealth, now probe.Instant) {
	switch {
	case h.Sick && !p.state.Lost:
		p.state.Lost = true
		detail := fmt.Sprintf("%d of %d references answer since %s", h.Answering, h.References, clock(h.Since))
		switch {
		case h.GatewayOK == nil: // nobody asked it
		case *h.GatewayOK:
			detail += "; the gateway does"
		default:
			detail += "; nor does the gateway"
		}
		p.own(SubjectVantage, VantageLost, detail, now)
	case h.OK && p.state.Lost:
		p.state.Lost = false
		p.own(SubjectVantage, VantageBack, "", now)
	}
}

// Late takes in that rounds were missed.
func (p *Planner) Late(missed time.Duration, now probe.Instant) {
	p.own(SubjectAgent, AgentLate, "nothing was probed for "+missed.Round(time.Second).String(), now)
}

// own puts in what happened to us.
func (p *Planner) own(subject string, what What, detail string, now probe.Instant) {
	p.state.Count++
	id := fmt.Sprintf("%s-%s/%d", subject, now.Time().Format("20060102T150405.000Z"), p.state.Count)
	p.put(subject, Transition{ID: id, What: what, At: now, Kind: outage.Up, Detail: detail})
}

func (p *Planner) put(subject string, t Transition) {
	g := p.state.Groups[subject]
	if g == nil {
		g = &group{}
		p.state.Groups[subject] = g
	}
	g.hold(t)
	p.dirty = true
}

// Due is the notices to be given out now, the space's first.
func (p *Planner) Due(now probe.Instant) []*Notice {
	var out []*Notice
	for _, subject := range p.subjects() {
		g := p.state.Groups[subject]
		if due := g.due(now, p.hold); due == 0 || due > now {
			continue
		}
		p.dirty = true
		list := g.release(now)
		for i := range list {
			p.activate(subject, &list[i])
		}
		out = append(out, &Notice{
			Version: 1, ID: list[len(list)-1].ID, At: now, Vantage: p.vantage, Subject: subject,
			Severity: severityOf(list), Grouped: g.grouped(now), Transitions: list,
		})
	}
	if out != nil {
		p.forget(now)
	}
	return out
}

func (p *Planner) subjects() []string {
	list := slices.Sorted(maps.Keys(p.state.Groups))
	slices.SortStableFunc(list, func(a, b string) int {
		switch {
		case a == b:
			return 0
		case a == outage.SpaceBlock:
			return -1
		case b == outage.SpaceBlock:
			return 1
		}
		return 0
	})
	return list
}

// activate notes what lasts of what was told.
func (p *Planner) activate(subject string, t *Transition) {
	switch t.What {
	case Opened, BecameTotal, BecamePartial, VantageLost:
		p.state.Active[subject] = *t
	case Ended, VantageBack:
		delete(p.state.Active, subject)
	}
}

// forget drops what is over for good.
func (p *Planner) forget(now probe.Instant) {
	maps.DeleteFunc(p.state.Outages, func(_ string, k *known) bool { return k.Ended != 0 && k.Ended.Add(memory) < now })
	maps.DeleteFunc(p.state.Groups, func(_ string, g *group) bool { return g.idle(now) })
}

// Active is what was told of and lasts, by subject, as of a state that a [Planner] gave out.
func Active(state []byte) (map[string]Transition, error) {
	s := plannerState{Active: map[string]Transition{}}
	if state == nil {
		return s.Active, nil
	}
	if err := json.Unmarshal(state, &s); err != nil {
		return nil, fmt.Errorf("read what was told: %w", err)
	}
	return s.Active, nil
}

// clock is a moment as people read it.
func clock(t probe.Instant) string { return t.Time().Format("2006-01-02 15:04:05 UTC") }

package notify

import (
	"brownout/probe"
	"brownout/probe/outage"
)

// What says what happened.
type What string

const (
	Opened        What = "opened"         // an outage; its kind says which
	BecameTotal   What = "became-total"   // an outage that was partial
	BecamePartial What = "became-partial" // one that was total: some life came back
	Ended         What = "ended"
	Revised       What = "revised" // what was found later changes what the outage is held to have been
	VantageLost   What = "vantage-lost"
	VantageBack   What = "vantage-back"
	AgentLate     What = "agent-late" // rounds were missed: the time between is unknown
)

// Transition is one thing that happened. Its ID is the same however often it is delivered.
type Transition struct {
	ID     string         `json:"id"`
	What   What           `json:"what"`
	At     probe.Instant  `json:"at"`               // when it was found
	Kind   outage.State   `json:"kind"`             // of the outage from then on: partial or total; else up
	Outage *outage.Outage `json:"outage,omitempty"` // as it then was
	Detail string         `json:"detail,omitempty"`
}

// isTotal reports whether a block is dark from then on, or was until then.
func (t *Transition) isTotal() bool { return t.Outage != nil && t.Outage.Kind == outage.Total }

// darkens reports whether a block is dark from then on.
func (t *Transition) darkens() bool {
	return t.Kind == outage.Total && (t.What == Opened || t.What == BecameTotal)
}

// unstable reports whether the block had had three outages within six hours.
func (t *Transition) unstable() bool {
	if t.Outage != nil {
		for _, c := range t.Outage.Conditions {
			if c == outage.Unstable {
				return true
			}
		}
	}
	return false
}

// The subjects of notices that are about no block.
const (
	SubjectVantage = "vantage"
	SubjectAgent   = "agent"
)

// Severity says how much a notice matters.
type Severity string

const (
	Critical Severity = "critical" // a block went dark
	Warning  Severity = "warning"
	Info     Severity = "info" // all is over, or nothing was wrong
)

// Notice is a message: what happened to one subject since the last one.
type Notice struct {
	Version     int           `json:"v"`
	ID          string        `json:"id"`     // that of its last transition
	Number      uint64        `json:"number"` // ascends in the order of what happened
	At          probe.Instant `json:"at"`     // when it was released
	Vantage     string        `json:"vantage"`
	Subject     string        `json:"subject"` // a block, "vantage" or "agent"
	Severity    Severity      `json:"severity"`
	Grouped     bool          `json:"grouped"` // the subject changes often: more of it is told together, later
	Title       string        `json:"title"`
	Text        string        `json:"text"`
	Transitions []Transition  `json:"transitions"`
}

func severityOf(list []Transition) Severity {
	for i := range list {
		if list[i].darkens() {
			return Critical
		}
	}
	switch list[len(list)-1].What {
	case Ended, Revised, VantageBack:
		return Info
	}
	return Warning
}

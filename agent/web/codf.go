package web

import (
	"fmt"

	"brownout/probe"
	"brownout/probe/outage"
)

// Codf is an answer in IODA's Common Outage Data Format, in the envelope of IODA's API, so that its clients can read it.
type Codf struct {
	Type        string      `json:"type"` // "outages.events"
	Metadata    struct{}    `json:"metadata"`
	RequestTime int64       `json:"requestTime"` // unix seconds
	Error       *string     `json:"error"`
	Perf        *string     `json:"perf"`
	Data        []CodfEvent `json:"data"`
	Copyright   string      `json:"copyright"`
}

// CodfEvent is an outage. Times are unix seconds.
type CodfEvent struct {
	Location       string   `json:"location"` // "prefix/CIDR", or "space/VANTAGE" where the space is no single prefix
	LocationName   string   `json:"location_name"`
	Start          int64    `json:"start"`
	Duration       int64    `json:"duration"`    // so far, while it lasts
	Uncertainty    *int64   `json:"uncertainty"` // seconds between the earliest and the latest start
	Status         int      `json:"status"`      // 0: it is over, 1: it lasts
	Fraction       *float64 `json:"fraction"`    // of the expected addresses that did not answer, at the worst
	Score          float64  `json:"score"`       // the drop in per cent times the minutes it lasted
	OverlapsWindow bool     `json:"overlaps_window"`
	Datasource     string   `json:"datasource"`
	Method         string   `json:"method"`
}

// codfOf makes an event of an outage; until is how far the store has got.
func codfOf(o *outage.Outage, space string, from, to, until probe.Instant) CodfEvent {
	end := max(until, o.Start.At)
	status := 1
	if o.End != nil {
		end, status = o.End.At, 0
	}
	name := o.Block
	if o.Block == outage.SpaceBlock {
		name = space
	}
	uncertainty := (int64(o.Start.Latest-o.Start.Earliest) + 999) / 1000
	fraction := max(1-o.ResponseRate.Float(), 0)
	duration := (int64(end-o.Start.At) + 500) / 1000 // rounded as the page and the commands round it
	return CodfEvent{
		Location: "prefix/" + name, LocationName: name, Start: int64(o.Start.At) / 1000, Duration: duration,
		Uncertainty: &uncertainty, Status: status, Fraction: &fraction, Score: fraction * 100 * float64(duration) / 60,
		OverlapsWindow: o.Start.At < from || end > to, Datasource: "brownout", Method: "brownout/" + o.Kind.String(),
	}
}

// codf answers with outages in that format.
func (h *handler) codf(a *answer, list []outage.Outage, from, to probe.Instant) error {
	until, err := h.observed()
	if err != nil {
		return err
	}
	space, err := h.spaceName()
	if err != nil {
		return err
	}
	out := Codf{Type: "outages.events", RequestTime: h.opt.Now().Unix(), Data: []CodfEvent{},
		Copyright: "what this probe observed; " + h.opt.About.By()}
	for i := range list {
		out.Data = append(out.Data, codfOf(&list[i], space, from, to, until))
	}
	return object(a, &out)
}

// spaceName is the space in one word: its prefix, or how many addresses it has.
func (h *handler) spaceName() (string, error) {
	r, err := h.latest()
	if err != nil || r == nil {
		return outage.SpaceBlock, err
	}
	if p := r.Space.Prefixes(); len(p) == 1 {
		return p[0].String(), nil
	}
	return fmt.Sprintf("%d addresses", r.Space.Len()), nil
}

// latest is the latest full round, so far; nil: there is none.
func (h *handler) latest() (*probe.Round, error) {
	for r, err := range h.src.Rounds(0, outage.EndOfTime, true) {
		if err != nil || r.Kind == probe.Full {
			return r, err
		}
	}
	return nil, nil
}

package web

import (
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
	Fraction       *float64 `json:"fraction"`    // of the expected addresses that did not answer, at the worst; null: not known
	Score          float64  `json:"score"`       // that in per cent times the minutes it was as bad as Method says
	OverlapsWindow bool     `json:"overlaps_window"`
	Datasource     string   `json:"datasource"`
	Method         string   `json:"method"`
}

// codfPlace is the space as an event's location.
type codfPlace struct{ location, name string }

// codfOf makes an event of an outage; until is how far the store has got. An event has one fraction: that of an outage that
// was total for a part of it only is the fraction of that part, which alone makes up its score.
func codfOf(o *outage.Outage, space codfPlace, from, to, until probe.Instant) CodfEvent {
	end := max(until, o.Start.At)
	status := 1
	if o.End != nil {
		end, status = o.End.At, 0
	}
	place := codfPlace{"prefix/" + o.Block, o.Block}
	if o.Block == outage.SpaceBlock {
		place = space
	}
	uncertainty := (int64(o.Start.Latest-o.Start.Earliest) + 999) / 1000
	duration := (int64(end-o.Start.At) + 500) / 1000 // rounded as the page and the commands round it
	e := CodfEvent{
		Location: place.location, LocationName: place.name, Start: int64(o.Start.At) / 1000, Duration: duration,
		Uncertainty: &uncertainty, Status: status,
		OverlapsWindow: o.Start.At < from || end > to, Datasource: "brownout", Method: "brownout/" + o.Kind.String(),
	}
	if o.Expected > 0 {
		fraction := max(outage.Ratio(1, 1)-o.ResponseRate, 0).Float()
		e.Fraction, e.Score = &fraction, fraction*100*float64(o.Length(o.Kind, until)/1000)/60
	}
	return e
}

// codf answers with outages in that format.
func (h *handler) codf(a *answer, list []outage.Outage, from, to probe.Instant) error {
	until, err := h.observed()
	if err != nil {
		return err
	}
	space, err := h.codfSpace()
	if err != nil {
		return err
	}
	out := Codf{Type: "outages.events", RequestTime: h.opt.Now().Unix(), Data: []CodfEvent{},
		Copyright: "what this probe observed; " + h.about().By()}
	for i := range list {
		out.Data = append(out.Data, codfOf(&list[i], space, from, to, until))
	}
	return object(a, &out)
}

// codfSpace is the space as a location: its prefix or, where it is none, who looks at it.
func (h *handler) codfSpace() (codfPlace, error) {
	r, err := h.latest()
	name := spaceNameOf(r)
	if err == nil && r != nil && len(r.Space.Prefixes()) == 1 {
		return codfPlace{"prefix/" + name, name}, nil
	}
	return codfPlace{outage.SpaceBlock + "/" + h.vantage(r), name}, err
}

// spaceName is the space in one word.
func (h *handler) spaceName() (string, error) {
	r, err := h.latest()
	return spaceNameOf(r), err
}

// spaceNameOf is the space of a round in one word: its prefix, or how many addresses it has; of no round, "space".
func spaceNameOf(r *probe.Round) string {
	if r == nil {
		return outage.SpaceBlock
	}
	if p := r.Space.Prefixes(); len(p) == 1 {
		return p[0].String()
	}
	return addressesWords(r.Space.Len())
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

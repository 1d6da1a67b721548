package web

import (
	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

// Period is a block's full rounds that began within an hour or a day.
type Period struct {
	Block  string        `json:"block"`
	Start  probe.Instant `json:"start"`
	End    probe.Instant `json:"end"`
	Rounds int           `json:"rounds"`
	State  outage.State  `json:"state"` // the worst that the block was in, as its states stand corrected
	// Seconds in which it was in these, of the whole period.
	TotalFor   int `json:"total_s"`
	PartialFor int `json:"partial_s"`
	UnknownFor int `json:"unknown_s"`
	// Of all rounds but those in which the state was unknown; null: nothing was expected in any.
	Rate   *outage.Decimal `json:"response_rate"`
	Lowest *outage.Decimal `json:"lowest_rate"` // of one round
	// Means of these rounds.
	Expected   *outage.Decimal `json:"expected"`
	Observed   *outage.Decimal `json:"observed"`
	Responsive *outage.Decimal `json:"responsive"` // null: the state was unknown in all
	Targets    int             `json:"targets"`
	RTT        *[5]uint32      `json:"rtt_us"` // means of the rounds' 10th, 25th, 50th, 75th and 90th percentiles; null: nothing answered
}

const hourMS = 3600_000

// hours answers with hours or days, that in which the time begins included: a year comes at once.
func (h *handler) hours(a *answer, format, block string, from, to probe.Instant, days bool, limit int) error {
	said, err := h.said(block)
	if err != nil {
		return err
	}
	until, err := h.observed()
	if err != nil {
		return err
	}
	states := outage.Timeline(said, until)
	lasts := int64(hourMS)
	if days {
		lasts *= 24
	}
	all, err := h.src.Hours(block, from-from%probe.Instant(lasts), to, days)
	if err != nil {
		return err
	}
	all = latest(all, limit)
	return list(a, format, periodColumns, func(yield func(*Period, error) bool) {
		for i := range all {
			p := periodOf(block, &all[i], lasts)
			states = p.hold(states)
			if !yield(&p, nil) {
				return
			}
		}
	})
}

func periodOf(block string, h *store.Hour, lasts int64) Period {
	p := Period{Block: block, Start: h.Start, End: h.Start.Add(lasts), Rounds: h.Rounds, Targets: h.Targets}
	if h.Rated() {
		rate, observed := h.Rate(), outage.Ratio(int64(h.Observed), int64(h.Judged))
		p.Rate, p.Lowest, p.Expected, p.Observed = &rate, &h.Lowest, &h.Expected, &observed
	}
	if h.Judged > 0 {
		lives := outage.Ratio(int64(h.Lives), int64(h.Judged))
		p.Responsive = &lives
	}
	if h.Timed > 0 {
		p.RTT = &h.RTT
	}
	return p
}

// hold says in which states the block was, by its stretches from some at or before the period on. It returns those that may
// reach into the next.
func (p *Period) hold(states []outage.Stretch) (rest []outage.Stretch) {
	for len(states) > 0 && states[0].End <= p.Start {
		states = states[1:]
	}
	var ms [outage.Unknown + 1]int64
	for i := 0; i < len(states) && states[i].Start < p.End; i++ {
		s := &states[i]
		ms[s.State] += int64(min(s.End, p.End) - max(s.Start, p.Start))
	}
	for _, s := range worstFirst {
		if ms[s] > 0 {
			p.State = s
			break
		}
	}
	seconds := func(s outage.State) int { return int((ms[s] + 500) / 1000) }
	p.TotalFor, p.PartialFor, p.UnknownFor = seconds(outage.Total), seconds(outage.Partial), seconds(outage.Unknown)
	return states
}

// worstFirst is states in order: unknown is worse than up, for who knows.
var worstFirst = [...]outage.State{outage.Total, outage.Partial, outage.Unknown, outage.Up, outage.Unobservable, outage.Learning}

var periodColumns = append([]column[Period]{
	text("block", func(p *Period) string { return p.Block }),
	value("start", func(p *Period) probe.Instant { return p.Start }),
	value("end", func(p *Period) probe.Instant { return p.End }),
	count("rounds", func(p *Period) int { return p.Rounds }),
	word("state", func(p *Period) outage.State { return p.State }),
	count("total_s", func(p *Period) int { return p.TotalFor }),
	count("partial_s", func(p *Period) int { return p.PartialFor }),
	count("unknown_s", func(p *Period) int { return p.UnknownFor }),
	maybe("response_rate", func(p *Period) *outage.Decimal { return p.Rate }, outage.Decimal.Append),
	maybe("lowest_rate", func(p *Period) *outage.Decimal { return p.Lowest }, outage.Decimal.Append),
	maybe("expected", func(p *Period) *outage.Decimal { return p.Expected }, outage.Decimal.Append),
	maybe("observed", func(p *Period) *outage.Decimal { return p.Observed }, outage.Decimal.Append),
	maybe("responsive", func(p *Period) *outage.Decimal { return p.Responsive }, outage.Decimal.Append),
	count("targets", func(p *Period) int { return p.Targets }),
}, rttColumns(func(p *Period) *[5]uint32 { return p.RTT })...)

package web

import (
	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

// Period is a block's full rounds that began within an hour or a day.
type Period struct {
	Block  string         `json:"block"`
	Start  probe.Instant  `json:"start"`
	End    probe.Instant  `json:"end"`
	Rounds int            `json:"rounds"`
	State  outage.State   `json:"state"`         // the worst in it
	Rate   outage.Decimal `json:"response_rate"` // of all rounds but those in which the state was unknown
	Lowest outage.Decimal `json:"lowest_rate"`   // of one round
	// Means of these rounds.
	Expected   outage.Decimal `json:"expected"`
	Observed   outage.Decimal `json:"observed"`
	Responsive outage.Decimal `json:"responsive"`
	Targets    int            `json:"targets"`
	RTT        [5]uint32      `json:"rtt_us"` // means of the rounds' 10th, 25th, 50th, 75th and 90th percentiles
}

const hourMS = 3600_000

// hours answers with hours or days: a year comes at once.
func (h *handler) hours(a *answer, format, block string, from, to probe.Instant, days bool) error {
	all, err := h.src.Hours(block, from, to, days)
	if err != nil {
		return err
	}
	lasts := int64(hourMS)
	if days {
		lasts *= 24
	}
	return list(a, format, periodColumns, func(yield func(*Period, error) bool) {
		for i := range all {
			p := periodOf(block, &all[i], lasts)
			if !yield(&p, nil) {
				return
			}
		}
	})
}

func periodOf(block string, h *store.Hour, lasts int64) Period {
	return Period{
		Block: block, Start: h.Start, End: h.Start.Add(lasts), Rounds: h.Rounds, State: h.Worst(), Rate: h.Rate(), Lowest: h.Lowest,
		Expected: h.Expected, Observed: outage.Ratio(int64(h.Observed), int64(h.Judged)), Responsive: outage.Ratio(int64(h.Lives), int64(h.Judged)),
		Targets: h.Targets, RTT: h.RTT,
	}
}

var periodColumns = append([]column[Period]{
	text("block", func(p *Period) string { return p.Block }),
	value("start", func(p *Period) probe.Instant { return p.Start }),
	value("end", func(p *Period) probe.Instant { return p.End }),
	count("rounds", func(p *Period) int { return p.Rounds }),
	word("state", func(p *Period) outage.State { return p.State }),
	value("response_rate", func(p *Period) outage.Decimal { return p.Rate }),
	value("lowest_rate", func(p *Period) outage.Decimal { return p.Lowest }),
	value("expected", func(p *Period) outage.Decimal { return p.Expected }),
	value("observed", func(p *Period) outage.Decimal { return p.Observed }),
	value("responsive", func(p *Period) outage.Decimal { return p.Responsive }),
	count("targets", func(p *Period) int { return p.Targets }),
}, rttColumns(func(p *Period) *[5]uint32 { return &p.RTT })...)

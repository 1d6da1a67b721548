package agent

import (
	"cmp"
	"context"
	"fmt"
	"strconv"

	"brownout/agent/web"
	"brownout/probe/outage"
)

// roundsBy lists hours or days of a block, the oldest first.
func (a *app) roundsBy(ctx context.Context, q *query, by string) error {
	q.values.Set("by", by)
	var list []web.Period
	return q.answer(ctx, "summaries", &list, func(bool) error {
		if len(list) == 0 {
			block := cmp.Or(q.values.Get("block"), outage.SpaceBlock)
			return q.noneKept(ctx, "No rounds", "hours", block, firstDay(block))
		}
		a.drawPeriods(list)
		return nil
	})
}

func (a *app) drawPeriods(list []web.Period) {
	p := a.paletteOf(a.stdout)
	t := a.newColumns("START (UTC)", "ROUNDS", "STATE", "RATE", "LOWEST", "ANSWERING", "RTT P10", "P50", "P90")
	t.alignRight(1, 3, 4, 5, 6, 7, 8)
	for i := range list {
		h := &list[i]
		row := []string{stamp(h.Start), strconv.Itoa(h.Rounds), p.state(h.State), "", "", "", "", "", ""}
		if h.Rate != nil {
			row[3], row[4] = percent(*h.Rate), percent(*h.Lowest)
			row[5] = fmt.Sprintf("%.1f of %.1f", h.Observed.Float(), h.Expected.Float())
		}
		if h.RTT != nil {
			row[6], row[7], row[8] = milliseconds(h.RTT[0]), milliseconds(h.RTT[2]), milliseconds(h.RTT[4])
		}
		t.row(row...)
	}
	t.print()
}

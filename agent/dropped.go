package agent

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/outage"
)

// span is the time that was asked about; all of it by default.
func (q *query) span() (from, to probe.Instant, err error) {
	to = outage.EndOfTime
	if s := q.values.Get("since"); s != "" {
		from, err = web.ParseTime(s, time.Now())
	}
	if s := q.values.Get("until"); s != "" && err == nil {
		to, err = web.ParseTime(s, time.Now())
	}
	return from, to, err
}

// stretches is the states of a block, or of all for "", in the time that was asked about, uncut. No retention drops them.
func (q *query) stretches(ctx context.Context, c *client, block string) ([]outage.Stretch, error) {
	from, to, err := q.span()
	if err != nil {
		return nil, err
	}
	var list []outage.Stretch
	if err := c.read(ctx, "states", ofBlock(block), &list); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(s outage.Stretch) bool { return s.Start >= to || s.End <= from }), nil
}

func ofBlock(block string) url.Values {
	values := url.Values{}
	if block != "" {
		values.Set("block", block)
	}
	return values
}

// looked reports whether something was measured in a stretch.
func looked(s outage.Stretch) bool { return s.State != outage.Unknown }

// noneKept says that a list is empty, and where what was measured in that time was dropped that it was. First is from when on
// it is kept; 0: nothing is.
func (q *query) noneKept(ctx context.Context, none, what, block string, first func(context.Context, *client) (probe.Instant, error)) error {
	c, err := q.dial(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	list, err := q.stretches(ctx, c, block)
	if err != nil {
		return err
	}
	kept, err := first(ctx, c)
	if err != nil {
		return err
	}
	line := none + "."
	if slices.ContainsFunc(list, func(s outage.Stretch) bool { return looked(s) && s.Start < kept }) {
		line = fmt.Sprintf("%s; %s of before %s UTC were dropped.", none, what, stamp(kept))
	}
	_, err = fmt.Fprintln(q.app.stdout, line)
	return err
}

// firstRound is the start of the first full round that is kept.
func firstRound(ctx context.Context, c *client) (probe.Instant, error) {
	var f web.Frames
	if err := c.read(ctx, "frames", url.Values{"since": {"0"}, "limit": {"1"}}, &f); err != nil || len(f.Start) == 0 {
		return 0, err
	}
	return f.Start[0], nil
}

// firstDay is the start of a block's first day that is kept.
func firstDay(block string) func(context.Context, *client) (probe.Instant, error) {
	return func(ctx context.Context, c *client) (probe.Instant, error) {
		values := ofBlock(block)
		values.Set("by", "day")
		var days []web.Period
		if err := c.read(ctx, "summaries", values, &days); err != nil || len(days) == 0 {
			return 0, err
		}
		return days[0].Start, nil
	}
}

// lostOutages reports whether outages that were asked for were dropped: a block was in such a state, and no outage that is
// kept tells of it.
func (q *query) lostOutages(ctx context.Context, c *client) (bool, error) {
	if q.values.Get("status") == string(outage.Ongoing) {
		return false, nil
	}
	block := q.values.Get("block")
	of := ofBlock(block)
	of.Set("blocks", "true")
	if all := q.values.Get("blocks"); block == "" && (all == "" || all == "false") {
		block = outage.SpaceBlock
	}
	states, err := q.stretches(ctx, c, block)
	if err != nil {
		return false, err
	}
	var kept []outage.Outage
	if err := c.read(ctx, "outages", of, &kept); err != nil {
		return false, err
	}
	return slices.ContainsFunc(states, func(s outage.Stretch) bool {
		wanted := s.State == outage.Total || s.State == outage.Partial && q.values.Get("kind") != outage.Total.String()
		return wanted && !slices.ContainsFunc(kept, func(o outage.Outage) bool {
			return o.Block == s.Block && o.Start.Earliest <= s.End && (o.End == nil || o.End.Latest >= s.Start)
		})
	}), nil
}

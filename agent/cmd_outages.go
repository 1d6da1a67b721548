package agent

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"brownout/agent/web"
	"brownout/probe/outage"
)

func (a *app) outagesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "outages", Short: "List outages, or show one", GroupID: groupQuery,
		Long: "Lists the outages of the space; with --blocks those of its blocks too.\n" +
			"Each start and end is the most likely instant, with how much earlier and later it may have been.\n" +
			"Of one marked with * something was found later, which `outages show` tells.",
		Example: "  brownout outages --since -30d\n  brownout outages --blocks --format json\n" +
			"  brownout outages show space-20141222T161531.000Z",
		Args: noArgs,
	}
	q := a.queryOf(c, "table", "json", "csv")
	q.spanFlags(c)
	q.paramTruth(c, "blocks", "add the blocks' own")
	q.param(c, "block", "of this `block` only, like 198.18.0.0/24")
	q.param(c, "status", "only ongoing or ended ones")
	q.param(c, "kind", "only partial or total ones")
	q.param(c, "limit", "the latest `n`")
	c.RunE = func(c *cobra.Command, _ []string) error {
		var list []outage.Outage
		return q.answer(c.Context(), "outages", &list, func(bool) error {
			if len(list) > 0 {
				a.drawOutages(list)
				return nil
			}
			return q.noOutages(c.Context())
		})
	}
	c.AddCommand(a.outagesShowCommand())
	return c
}

// noOutages says that there are none, and where outages or rounds were dropped, or nothing was measured, what that means.
func (q *query) noOutages(ctx context.Context) error {
	c, err := q.dial(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	line, err := q.noOutagesWords(ctx, c)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(q.app.stdout, line)
	return err
}

func (q *query) noOutagesWords(ctx context.Context, c *client) (string, error) {
	if lost, err := q.lostOutages(ctx, c); err != nil || lost {
		return "It is not known which outages there were; those of that time were dropped.", err
	}
	if measured, err := q.measured(ctx, c); err != nil || measured {
		return "No outages.", err
	}
	states, err := q.stretches(ctx, c, outage.SpaceBlock)
	if slices.ContainsFunc(states, looked) {
		return "No outages; the rounds of that time were dropped.", err
	}
	return "No outages; nothing was measured in that time.", err
}

// measured reports whether a round that is kept lies in the time that was asked about, or a part of one. Rounds overlap, core
// passes with the round that they are in: so the latest of each that began before its end are looked at.
func (q *query) measured(ctx context.Context, c *client) (bool, error) {
	since, _, err := q.span()
	if err != nil {
		return false, err
	}
	for _, kind := range []string{"round", "core", "confirm"} {
		values := url.Values{"kind": {kind}, "limit": {"3"}}
		if s := q.values.Get("until"); s != "" {
			values.Set("until", s)
		}
		var list []web.RoundInfo
		if err := c.read(ctx, "rounds", values, &list); err != nil {
			return false, err
		}
		if slices.ContainsFunc(list, func(r web.RoundInfo) bool { return r.End >= since }) {
			return true, nil
		}
	}
	return false, nil
}

func (a *app) drawOutages(list []outage.Outage) {
	if len(list) == 0 {
		fmt.Fprintln(a.stdout, "No outages.")
		return
	}
	p := a.paletteOf(a.stdout)
	t := a.newColumns("KIND", "START (UTC)", "", "END (UTC)", "", "LASTED", "RATE", "ID")
	t.alignRight(5, 6)
	revised := false
	for i := range list {
		o := &list[i]
		end, off, took := p.paint("ongoing"), "", ""
		if o.End != nil {
			end, off, took = stamp(o.End.At), p.faint(spread(*o.End)), lasted(o.End.At-o.Start.At)
		}
		kind := p.state(o.Kind)
		if len(o.Revisions) > 0 {
			kind, revised = kind+"*", true
		}
		t.row(kind, stamp(o.Start.At), p.faint(spread(o.Start)), end, off, took,
			percent(o.ResponseRate), p.faint(o.ID))
	}
	t.print()
	if revised {
		fmt.Fprintln(a.stdout, p.faint("* revised by what was found later: see `brownout outages show ID`"))
	}
}

package agent

import (
	"fmt"

	"github.com/spf13/cobra"

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
			a.drawOutages(list)
			return nil
		})
	}
	c.AddCommand(a.outagesShowCommand())
	return c
}

func (a *app) drawOutages(list []outage.Outage) {
	if len(list) == 0 {
		fmt.Fprintln(a.stdout, "No outages.")
		return
	}
	p := a.paletteOf(a.stdout)
	t := a.newTable("KIND", "START (UTC)", "", "END (UTC)", "", "LASTED", "RATE", "ID")
	rightAligned(t, 6, 7)
	revised := false
	for i := range list {
		o := &list[i]
		end, off, lasted := p.paint("ongoing"), "", ""
		if o.End != nil {
			end, off, lasted = stamp(o.End.At), p.faint(spread(*o.End)), lasting(o.End.At-o.Start.At)
		}
		kind := p.state(o.Kind)
		if len(o.Revisions) > 0 {
			kind, revised = kind+"*", true
		}
		t.AppendRow([]any{kind, stamp(o.Start.At), p.faint(spread(o.Start)), end, off, lasted,
			percent(o.ResponseRate), p.faint(o.ID)})
	}
	t.Render()
	if revised {
		fmt.Fprintln(a.stdout, p.faint("* revised by what was found later: see `brownout outages show ID`"))
	}
}

package agent

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"brownout/probe"
	"brownout/probe/outage"
)

func (a *app) outagesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "outages", Short: "List outages, or show one", GroupID: groupQuery,
		Long: "Lists the outages of the space; with --blocks those of its blocks too.\n" +
			"Each start and end is the most likely instant, with how much earlier and later it may have been.",
		Example: "  brownout outages --since -30d\n  brownout outages --blocks --format json\n" +
			"  brownout outages show space-20141222T161531.000Z",
		Args: noArgs,
	}
	q := a.queryOf(c, "table", "json", "csv")
	q.spanFlags(c)
	q.paramTruth(c, "blocks", "add the blocks' own")
	q.param(c, "block", "of this `block` only, like 198.18.0.0/24")
	q.param(c, "status", "only ongoing or ended ones")
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
	for i := range list {
		o := &list[i]
		end, off, lasted := p.paint("ongoing"), "", ""
		if o.End != nil {
			end, off, lasted = stamp(o.End.At), p.faint(spread(*o.End)), lasting(o.End.At-o.Start.At)
		}
		t.AppendRow([]any{p.state(o.Kind), stamp(o.Start.At), p.faint(spread(o.Start)), end, off, lasted,
			percent(o.ResponseRate), p.faint(o.ID)})
	}
	t.Render()
}

func (a *app) outagesShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show ID", Short: "Show one outage: phases, what was dark, evidence",
		Example: "  brownout outages show space-20141222T161531.000Z",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return badUsage(c, "name one outage by its ID, as `brownout outages` lists it")
			}
			return nil
		},
	}
	q := a.queryOf(c, "table", "json", "csv")
	c.RunE = func(c *cobra.Command, args []string) error {
		var o outage.Outage
		return q.answer(c.Context(), "outages/"+url.PathEscape(args[0]), &o, func(bool) error {
			a.drawOutage(&o)
			return nil
		})
	}
	return c
}

func (a *app) drawOutage(o *outage.Outage) {
	p := a.paletteOf(a.stdout)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(a.stdout, "%s %s\n", p.faint(fmt.Sprintf("%-12s", name)), fmt.Sprintf(format, args...))
	}
	line("outage", "%s", o.ID)
	line("block", "%s", o.Block)
	if o.PartOf != nil {
		line("part of", "%s", *o.PartOf)
	}
	line("kind", "%s, %s", p.state(o.Kind), o.Status)
	line("start", "%s", between(o.Start))
	if o.End != nil {
		line("end", "%s", between(*o.End))
		line("lasted", "%s", lasting(o.End.At-o.Start.At))
	}
	line("dark", "%s", strings.Join(prefixes(o.Dark), ", "))
	line("answering", "%d of %.1f expected at the worst (%s)", o.Observed, o.Expected.Float(), percent(o.ResponseRate))
	line("declared", "%s UTC", stamp(o.DeclaredAt))
	if o.UnstableFor > 0 {
		line("unstable", "for %s before", lasting(probe.Instant(o.UnstableFor)*1000))
	}
	if len(o.Conditions) > 0 {
		line("conditions", "%v", o.Conditions)
	}
	for i, ph := range o.Phases {
		end := "now"
		if ph.End != nil {
			end = bounded(*ph.End)
		}
		line([]string{"phases", ""}[min(i, 1)], "%s from %s to %s", p.state(ph.Kind), bounded(ph.Start), end)
	}
	for i, at := range o.Evidence {
		line([]string{"rounds", ""}[min(i, 1)], "%v", at)
	}
}

func between(i outage.Interval) string {
	return fmt.Sprintf("%s UTC, between %s and %s", stamp(i.At), stamp(i.Earliest), stamp(i.Latest))
}

func prefixes(list []netip.Prefix) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.String()
	}
	return out
}

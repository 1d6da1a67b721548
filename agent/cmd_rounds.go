package agent

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"brownout/agent/web"
	"brownout/probe/outage"
)

func (a *app) roundsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "rounds", Short: "List rounds, the newest first", GroupID: groupQuery, Args: noArgs,
		Long: "Lists rounds, the newest first; or, with --by, hours or days of the full rounds of a block, the oldest first, with\n" +
			"the worst state, response rates and RTTs: those of a year come at once.",
		Example: "  brownout rounds --limit 5\n  brownout rounds --since -24h --kind round --format csv\n" +
			"  brownout rounds --by day --since -365d --format csv",
	}
	q := a.queryOf(c, "table", "json", "csv")
	q.spanFlags(c)
	q.param(c, "kind", "only round, core or confirm")
	q.param(c, "limit", "at most `n`, the latest (default 20, with --by all; 0: all)")
	q.param(c, "block", "with --by: of this `block`, like 198.18.0.0/24 (default space)")
	by := choiceFlag(c, "by", "what a line is of", "round", "hour", "day")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *by != "round" {
			return a.roundsBy(c.Context(), q, *by)
		}
		var list []web.RoundInfo
		return q.answer(c.Context(), "rounds", &list, func(bool) error {
			if len(list) == 0 {
				return q.noneKept(c.Context(), "No rounds", "those", outage.SpaceBlock, firstRound)
			}
			a.drawRounds(list)
			return nil
		})
	}
	return c
}

func (a *app) drawRounds(list []web.RoundInfo) {
	p := a.paletteOf(a.stdout)
	t := a.newColumns("START (UTC)", "TOOK", "KIND", "ANSWERING", "OF", "PROTOCOLS", "VANTAGE")
	t.alignRight(1, 3, 4)
	for i := range list {
		r := &list[i]
		vantage := printable(r.Vantage)
		if !r.VantageOK {
			vantage += " (in doubt)"
		}
		took := lasted(r.End - r.Start)
		if r.UnderWay {
			took = "so far"
		}
		t.row(stamp(r.Start), took, r.Kind.String(), strconv.Itoa(r.Answering), strconv.Itoa(r.Addresses), protocolsLine(p, r), vantage)
	}
	t.print()
}

// protocolsLine is "icmp 18  tcp/80 9": lives by protocol, with what was not sent, or of a round under way not yet.
func protocolsLine(p palette, r *web.RoundInfo) string {
	line, yet := "", ""
	if r.UnderWay {
		yet = "yet "
	}
	for i := range r.Probes {
		q := &r.Probes[i]
		if line != "" {
			line += "  "
		}
		line += p.faint(q.Protocol.String()) + fmt.Sprintf(" %d", q.Reply+q.Refused+q.Late)
		if q.Unsent > 0 {
			line += fmt.Sprintf(" (%d %sunsent)", q.Unsent, yet)
		}
	}
	return line
}

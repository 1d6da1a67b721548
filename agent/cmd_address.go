package agent

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/outage"
)

func (a *app) addressCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "address ADDR", Short: "Show what became of the probes of one address", GroupID: groupQuery,
		Example: "  brownout address 198.18.0.8 --since -7d",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return badUsage(c, "name one address")
			}
			if _, err := netip.ParseAddr(args[0]); err != nil {
				return badUsage(c, "%q is no IP address", args[0])
			}
			return nil
		},
	}
	q := a.queryOf(c, "table", "json", "csv")
	q.spanFlags(c)
	q.param(c, "limit", "at most `n` probes, the latest (default 100; 0: all)")
	c.RunE = func(c *cobra.Command, args []string) error {
		var list []web.Observation
		return q.answer(c.Context(), "addresses/"+args[0], &list, func(bool) error {
			if len(list) == 0 {
				none := "No probes of " + args[0]
				if outside, err := q.inNoBlock(c.Context(), args[0]); err != nil {
					return err
				} else if outside {
					_, err := fmt.Fprintln(a.stdout, none+": it is in none of the blocks that `brownout status` lists.")
					return err
				}
				return q.noneKept(c.Context(), none, "the rounds", outage.SpaceBlock, firstRound)
			}
			a.drawAddress(list)
			return nil
		})
	}
	return c
}

// inNoBlock reports whether an address lies outside of all blocks that are known, if any is.
func (q *query) inNoBlock(ctx context.Context, address string) (bool, error) {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return false, err
	}
	c, err := q.dial(ctx)
	if err != nil {
		return false, err
	}
	defer c.close()
	var s web.Status
	if err := c.read(ctx, "status", nil, &s); err != nil {
		return false, err
	}
	known := false
	for i := range s.Blocks {
		block, err := netip.ParsePrefix(s.Blocks[i].Block)
		if err == nil && block.Contains(ip.Unmap()) {
			return false, nil
		}
		known = known || err == nil
	}
	return known, nil
}

func (a *app) drawAddress(list []web.Observation) {
	p := a.paletteOf(a.stdout)
	t := a.newColumns("SENT (UTC)", "KIND", "PROTOCOL", "OUTCOME", "RTT", "")
	t.alignRight(4)
	for i := range list {
		o := &list[i]
		sent, rtt, remark := "", "", ""
		if o.SentAt != nil {
			sent = stamp(*o.SentAt)
		}
		if o.RTT != nil {
			rtt = milliseconds(*o.RTT)
		}
		if o.From != nil && o.Type != nil && o.Code != nil {
			remark = fmt.Sprintf("type %d code %d from %s", *o.Type, *o.Code, o.From)
		}
		if !o.VantageOK {
			remark += " vantage in doubt"
		}
		t.row(sent, o.Kind.String(), o.Protocol.String(), p.outcome(o.Outcome), rtt, p.faint(remark))
	}
	t.print()
}

// outcome is the word for an outcome; life stands out.
func (p palette) outcome(o probe.Outcome) string {
	if o.Life() {
		return o.String()
	}
	return p.faint(o.String())
}

// milliseconds prints microseconds for people.
func milliseconds(us uint32) string {
	if us < 10_000 {
		return fmt.Sprintf("%.2f ms", float64(us)/1000)
	}
	return fmt.Sprintf("%.0f ms", float64(us)/1000)
}

package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"brownout/agent/web"
	"brownout/probe"
)

func (a *app) sweepCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "sweep", Short: "Probe every address once, now", GroupID: groupMeasure, Args: noArgs,
		Long: "Sweeps the space once and prints the round; nothing is stored. With --space no configuration file is read.\n" +
			"The sweep is spread over probe.round, or as fast as nothing is lost with --unpaced. Late replies are waited for\n" +
			"only where probe.late_window is set; silent services are asked again only where probe.retries is.",
		Example: "  brownout sweep --space 198.18.0.0/22 --protocols icmp,tcp/80,dns --unpaced\n" +
			"  brownout sweep --config config.toml --format json > round.jsonl",
	}
	f := configFlagsOf(c)
	f.key(c, "space", "space.targets", "`CIDRs` and addresses, with commas")
	f.key(c, "exclude", "space.exclude", "`CIDRs` and addresses to leave out")
	probeFlags(c, f)
	f.key(c, "round", "probe.round", "`duration` over which the sweep is spread")
	unpaced := c.Flags().Bool("unpaced", false, "as fast as nothing is lost; the silent are asked again, more slowly")
	format := choiceFlag(c, "format", "output", "table", "json", "csv")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := a.loadForSweep(c, f)
		if err != nil {
			return err
		}
		span := cfg.Probe.Round
		if *unpaced {
			span = 0
			if err := checkFlood(cfg); err != nil {
				return err
			}
		}
		round, err := a.sweepOnce(c.Context(), cfg, span)
		if round != nil {
			err = errors.Join(a.printRound(*format, cfg, round), explainInterrupt(err))
		}
		return err
	}
	return c
}

// probeFlags are those that `sweep` and `ping` share.
func probeFlags(c *cobra.Command, f *configFlags) {
	f.key(c, "protocols", "probe.protocols", "`list` of icmp, tcp/PORT and dns")
	f.key(c, "timeout", "probe.timeout", "`duration` after which a target is silent")
	f.key(c, "retries", "probe.retries", "`n` times a silent service is asked again")
	f.key(c, "icmp", "probe.icmp", "`socket`: auto, raw or datagram")
	f.key(c, "contact", "probe.contact", "`text` that says in every ICMP packet who probes")
	f.truth(c, "acknowledge-fast", "probe.acknowledge_fast", "probe others' addresses faster than manners allow")
}

// loadForSweep reads the configuration: the file only where the command line does not name a space.
func (a *app) loadForSweep(c *cobra.Command, f *configFlags) (*Config, error) {
	src := Sources{Path: f.path, Environ: a.env, Flags: f.sets}
	if c.Flags().Changed("space") && f.path == "" {
		src.NoFile = true
	}
	// Waiting for the late is worth it only to who asked for it.
	src.Defaults = func(cfg *Config) { cfg.Probe.LateWindow = 0 }
	cfg, err := LoadConfig(src)
	if err == nil {
		err = cfg.CheckRun()
	}
	return cfg, err
}

func explainInterrupt(err error) error {
	if errors.Is(err, context.Canceled) {
		return hint(errors.New("interrupted: what was not decided by then is unsent"), "the round so far was printed")
	}
	return err
}

func (a *app) printRound(format string, cfg *Config, r *probe.Round) error {
	switch format {
	case "json":
		w := probe.NewRoundWriter(a.stdout)
		if err := w.Header(cfg.Space.BlockBits, r.Timeout, r.Scale); err != nil {
			return err
		}
		return w.Write(r)
	case "csv":
		return web.WriteObservationsCSV(a.stdout, r)
	}
	a.drawRound(r)
	return nil
}

// drawRound is a table of the addresses that answered, and a line for each protocol.
func (a *app) drawRound(r *probe.Round) {
	heads := []string{"ADDRESS"}
	for i := range r.Passes {
		heads = append(heads, r.Passes[i].Protocol.String())
	}
	t := a.newColumns(heads...)
	answering := answeringIndices(r)
	for _, i := range answering {
		row := []string{r.Space.Addr(i).String()}
		for k := range r.Passes {
			row = append(row, answerText(&r.Passes[k], i))
		}
		t.row(row...)
	}
	if len(answering) > 0 {
		t.print()
		fmt.Fprintln(a.stdout)
	}
	info := web.Describe(r)
	fmt.Fprintf(a.stdout, "%d of %d addresses answer; sent in %s.\n", info.Answering, info.Addresses, r.End.Time().Sub(r.Start.Time()))
	sum := a.newColumns("", "REPLY", "REFUSED", "LATE", "UNREACHABLE", "TIMEOUT", "UNSENT")
	sum.alignRight(1, 2, 3, 4, 5, 6)
	for _, p := range info.Probes {
		row := []string{p.Protocol.String()}
		for _, n := range []int{p.Reply, p.Refused, p.Late, p.Unreachable, p.Timeout, p.Unsent} {
			row = append(row, strconv.Itoa(n))
		}
		sum.row(row...)
	}
	sum.print()
}

// answeringIndices are the addresses that showed life, by index, ascending.
func answeringIndices(r *probe.Round) []int {
	var out []int
	for k := range r.Passes {
		for i := range r.Passes[k].Answers {
			if n := &r.Passes[k].Answers[i]; n.Outcome.Life() {
				out = append(out, int(n.Target))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// answerText is "0.05 ms", "refused 0.05 ms", "unreachable" or "".
func answerText(p *probe.Pass, target int) string {
	i, ok := slices.BinarySearchFunc(p.Answers, int32(target), func(a probe.Answer, t int32) int { return int(a.Target - t) })
	if !ok {
		return ""
	}
	n := &p.Answers[i]
	switch n.Outcome {
	case probe.Reply:
		return milliseconds(n.RTT)
	case probe.Unreachable:
		return n.Outcome.String()
	}
	return n.Outcome.String() + " " + milliseconds(n.RTT)
}

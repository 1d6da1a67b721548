package agent

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brownout/agent/web"
	"brownout/probe"
)

// maxPings is how many addresses `ping` takes: more are a sweep.
const maxPings = 32

func (a *app) pingCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "ping ADDR...", Short: "Probe single addresses", GroupID: groupMeasure,
		Long: "Probes addresses by the means of a sweep and says what came of it. Exit code 1: some address showed no life.\n" +
			"The configuration's exclusions, timeout and contact apply.",
		Example: "  brownout ping 127.0.0.1\n  brownout ping --protocols icmp,tcp/443,dns --count 3 198.18.0.8",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) > maxPings {
				return badUsage(c, "name 1 to %d addresses; `brownout sweep` takes more", maxPings)
			}
			for _, arg := range args {
				if _, err := netip.ParseAddr(arg); err != nil {
					return badUsage(c, "%q is no IP address", arg)
				}
			}
			return nil
		},
	}
	f := configFlagsOf(c)
	probeFlags(c, f)
	count := c.Flags().Int("count", 1, "ask `n` times, a second apart")
	c.RunE = func(c *cobra.Command, args []string) error {
		if *count < 1 {
			return badUsage(c, "--count %d: want 1 or more", *count)
		}
		cfg, err := a.loadForPing(f, args)
		if err != nil {
			return err
		}
		return a.ping(c.Context(), cfg, *count)
	}
	return c
}

// loadForPing is the configuration with the addresses in place of its space, and without what concerns rounds.
func (a *app) loadForPing(f *configFlags, args []string) (*Config, error) {
	sets := append([]FlagValue{{"--protocols", "probe.protocols", "icmp"}}, f.sets...)
	sets = append(sets, FlagValue{"ADDR", "space.targets", strings.Join(args, ",")}, FlagValue{"ADDR", "vantage.references", ""})
	cfg, err := LoadConfig(Sources{Path: f.path, Environ: a.env, Flags: sets, Defaults: func(cfg *Config) { cfg.Probe.LateWindow = 0 }})
	if err == nil {
		err = cfg.CheckRun()
	}
	return cfg, err
}

func (a *app) ping(ctx context.Context, cfg *Config, count int) error {
	silent := false
	for i := range count {
		began := time.Now()
		round, err := a.sweepOnce(ctx, cfg, 0)
		if err != nil {
			return explainInterrupt(err)
		}
		a.printPings(round)
		info := web.Describe(round)
		silent = silent || info.Answering < info.Addresses
		if i+1 < count && (&probe.Clock{}).SleepUntil(ctx, began.Add(time.Second)) != nil {
			break
		}
	}
	if silent {
		return exitCode(exitFailure)
	}
	return nil
}

// printPings prints a line a probe, in order of address.
func (a *app) printPings(r *probe.Round) {
	p := a.paletteOf(a.stdout)
	for i := range r.Space.Len() {
		for k := range r.Passes {
			o := web.Observe(r, k, int32(i))
			line := fmt.Sprintf("%-15s  %-8s %s", o.Address, o.Protocol, p.outcome(o.Outcome))
			if o.RTT != nil {
				line += "  " + milliseconds(*o.RTT)
			}
			if o.From != nil {
				line += fmt.Sprintf("  type %d code %d from %s", *o.Type, *o.Code, o.From)
			}
			fmt.Fprintln(a.stdout, line)
		}
	}
}

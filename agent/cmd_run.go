package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"brownout/agent/notify"
	"brownout/probe"
	"brownout/store"
)

func (a *app) runCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "run", Short: "Measure, judge and store, until stopped", GroupID: groupMeasure, Args: noArgs,
		Long: "Sweeps the configured space round after round, judges it, keeps every round in the store, and answers\n" +
			"queries over HTTP and over a Unix socket beside the store. No address is probed that the configuration does\n" +
			"not name. SIGHUP makes it read the configuration again; one that is wrong is told of and changes nothing.",
		Example: "  brownout run --config /etc/brownout/config.toml",
	}
	flags := configFlagsOf(c)
	flags.store(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.run(c.Context(), func() (*Config, error) {
			cfg, err := a.load(flags)
			if err == nil {
				err = cfg.CheckRun()
			}
			return cfg, err
		})
	}
	return c
}

// seams are what a simulation in process puts in the place of sockets. The zero value is real sockets.
type seams struct {
	openWire func(kind probe.Protocol, sink func(probe.Arrival)) (probe.Wire, error)
	ping     func(ctx context.Context, a netip.Addr) (time.Duration, error)
}

// engineOn opens the sockets and the references. Whoever calls it closes them.
func (c *Config) engineOn(clock *probe.Clock, s *store.Store, log *slog.Logger, in seams) (e *engine, closeAll func(), err error) {
	sweeperConfig := c.sweeperConfig(clock, log)
	sweeperConfig.OpenWire = in.openWire
	sweeper, err := probe.OpenSweeper(sweeperConfig, c.Probe.Protocols)
	if err != nil {
		return nil, nil, hint(err, "`brownout doctor` tells what this machine permits and how to change it")
	}
	gateway, _ := probe.DefaultGateway() // without one there is nothing to diagnose
	vantage, err := probe.OpenVantage(probe.VantageConfig{
		References: c.Vantage.References, Targets: c.Targets, Gateway: gateway, Clock: clock, Timeout: c.Probe.Timeout, Ping: in.ping, Log: log,
	})
	if err != nil {
		return nil, nil, errors.Join(err, sweeper.Close())
	}
	e = &engine{
		Clock: clock, Sweeper: sweeper, Vantage: vantage, Store: s, BlockBits: c.Space.BlockBits, Log: log,
		Space: c.Targets, Protocols: c.Probe.Protocols, Name: c.Vantage.Name, Trusted: c.Vantage.AcknowledgeNoVantage,
		Round: c.Probe.Round, Core: c.Probe.CoreInterval, ExtraPer24: sweeperConfig.ExtraPer24,
		planner: notify.NewPlanner(c.Vantage.Name, c.Probe.Round),
	}
	return e, func() {
		if err := errors.Join(vantage.Close(), sweeper.Close()); err != nil {
			log.Warn("close sockets", "error", err)
		}
	}, nil
}

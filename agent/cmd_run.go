package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/store"
)

func (a *app) runCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "run", Short: "Measure, judge and store, until stopped", GroupID: groupMeasure, Args: noArgs,
		Long: "Sweeps the configured space round after round, judges it, keeps every round in the store, and answers\n" +
			"queries over HTTP and over a Unix socket beside the store. No address is probed that the configuration does\n" +
			"not name.",
		Example: "  brownout run --config /etc/brownout/config.toml",
	}
	flags := configFlagsOf(c)
	flags.store(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := a.load(flags)
		if err != nil {
			return err
		}
		if err := cfg.CheckRun(); err != nil {
			return err
		}
		for _, w := range cfg.Warnings {
			a.talk.warn("%s", w)
		}
		return a.run(c.Context(), cfg)
	}
	return c
}

// run is the agent: it measures until ctx ends.
func (a *app) run(ctx context.Context, cfg *Config) error {
	log := newLogger(a.stderr, cfg.Log)
	if err := os.MkdirAll(filepath.Dir(cfg.Store.Path), 0o700); err != nil {
		return fmt.Errorf("make the state directory: %w", err)
	}
	s, aside, err := store.OpenOrReplace(cfg.Store.Path, store.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	if aside != "" {
		log.Error("the store was damaged and has been set aside; measuring goes on with a new one, and learning begins anew", "aside", aside, "store", cfg.Store.Path)
	}
	e, closeAll, err := cfg.engineOn(&probe.Clock{}, s, log, seams{})
	if err != nil {
		return err
	}
	defer closeAll()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served, err := cfg.serve(ctx, e, s, log)
	if err != nil {
		return err
	}
	log.Info("measuring", "space", cfg.Targets.String(), "addresses", cfg.Targets.Len(), "round", cfg.Probe.Round.String(), "store", cfg.Store.Path)
	err = e.run(ctx)
	cancel()
	return errors.Join(err, <-served)
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
		References: c.Vantage.References, Gateway: gateway, Clock: clock, Timeout: c.Probe.Timeout, Ping: in.ping, Log: log,
	})
	if err != nil {
		return nil, nil, errors.Join(err, sweeper.Close())
	}
	e = &engine{
		Clock: clock, Sweeper: sweeper, Vantage: vantage, Store: s, BlockBits: c.Space.BlockBits, Log: log,
		Space: c.Targets, Protocols: c.Probe.Protocols, Name: c.Vantage.Name, Trusted: c.Vantage.AcknowledgeNoVantage,
		Round: c.Probe.Round, Core: c.Probe.CoreInterval, ExtraPer24: sweeperConfig.ExtraPer24,
	}
	return e, func() {
		if err := errors.Join(vantage.Close(), sweeper.Close()); err != nil {
			log.Warn("close sockets", "error", err)
		}
	}, nil
}

// serve answers queries until ctx ends; then the channel gives what went wrong.
func (c *Config) serve(ctx context.Context, e *engine, s *store.Store, log *slog.Logger) (<-chan error, error) {
	socket, err := web.ListenSocket(c.Store.Path)
	if err != nil {
		return nil, err
	}
	listeners := []net.Listener{socket}
	if c.HTTP.Listen != "" {
		l, err := net.Listen("tcp", c.HTTP.Listen)
		if err != nil {
			socket.Close()
			return nil, hint(fmt.Errorf("serve the API: %w", err), `set http.listen to another address, or to "" for the Unix socket alone`)
		}
		listeners = append(listeners, l)
		log.Info("answering", "http", l.Addr().String(), "socket", web.SocketPath(c.Store.Path))
	}
	out := make(chan error, 1)
	handler := c.handler(e, s, log)
	go func() {
		err := web.Serve(ctx, handler, log, listeners...)
		if err != nil {
			log.Error("questions are answered no more; measuring goes on", "error", err)
		}
		out <- err
	}()
	return out, nil
}

func (c *Config) handler(e *engine, s *store.Store, log *slog.Logger) http.Handler {
	live := &liveAgent{started: probe.InstantOf(time.Now()), name: c.Vantage.Name, vantage: e.Vantage, trusted: e.Trusted, round: c.Probe.Round}
	e.Watch = live.watch
	return web.Handler(s, web.Options{Live: live.agent, Ready: live.ready, Log: log})
}

// liveAgent is what the API tells of the agent that runs.
type liveAgent struct {
	started probe.Instant
	name    string
	vantage *probe.Vantage
	trusted bool // though no references vouch
	round   time.Duration
	view    atomic.Pointer[engineView]
}

func (l *liveAgent) watch(v engineView) { l.view.Store(&v) }

func (l *liveAgent) agent() *web.Agent {
	out := &web.Agent{Version: readBuildInfo().Version, PID: os.Getpid(), Started: l.started, Vantage: l.name, Healthy: l.healthy()}
	if v := l.view.Load(); v != nil && v.Full != nil {
		out.Round = &web.Progress{Start: v.Round.Start}
		out.Round.Sent, out.Round.Planned, out.Round.Answered = v.Full.Progress()
	}
	return out
}

// healthy reports whether silence counts: somebody vouches for our own connectivity, or nobody is asked to.
func (l *liveAgent) healthy() bool {
	h := l.vantage.Health()
	return h.OK || l.trusted && !h.Sick
}

// ready is nil while observations keep being judged.
func (l *liveAgent) ready() error {
	v := l.view.Load()
	if v == nil {
		return errors.New("the first round has not begun")
	}
	if late := v.Now - v.Judged; int64(late) > 2*l.round.Milliseconds() {
		return fmt.Errorf("nothing has been judged since %v", v.Judged)
	}
	return nil
}

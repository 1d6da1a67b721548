package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
	"brownout/store"
)

// demoOptions is what the demo's flags say.
type demoOptions struct {
	scenario  string
	speed     int64
	format    *string
	inProcess bool
	keep      string
	committed func(outage.Findings) // told after every commit; nil: nobody is
}

func (a *app) demoCommand() *cobra.Command {
	o := &demoOptions{}
	c := &cobra.Command{
		Use: "demo", Short: "Watch a simulated country go dark and come back", GroupID: groupMeasure, Args: noArgs,
		Long: "Simulates an address space that answers real packets in a network namespace of its own, measures it with the\n" +
			"unmodified agent on a fast clock, and ends with the outages found beside the scenario's truth. Nothing leaves\n" +
			"this machine, and nothing is installed. Exits 1 where a verdict is not the truth.\n\n" +
			"Scenarios: " + strings.Join(lab.Builtins(), ", ") + ".",
		Example: "  brownout demo\n  brownout demo --scenario one-block-dark\n  brownout demo --format json",
	}
	c.Flags().StringVar(&o.scenario, "scenario", "december-2014", "`name` of a built-in scenario, or a scenario file")
	c.Flags().Int64Var(&o.speed, "speed", 0, "how many seconds pass in one; 0: all of the scenario in two minutes")
	c.Flags().BoolVar(&o.inProcess, "in-process", false, "without a namespace: simulate the space behind the sweeper's sockets")
	c.Flags().StringVar(&o.keep, "keep", "", "keep the store as this `file`; one that is there already is gone on with")
	o.format = choiceFlag(c, "format", "output", "table", "json")
	_ = c.RegisterFlagCompletionFunc("scenario", cobra.FixedCompletions(lab.Builtins(), cobra.ShellCompDirectiveDefault)) // the flag was just made
	c.RunE = func(c *cobra.Command, _ []string) error {
		if o.speed < 0 {
			return badUsage(c, "--speed is %d: want 1 or more", o.speed)
		}
		return a.demo(c.Context(), o)
	}
	return c
}

// demo runs in a namespace where one can be had: then this process only waits for the one inside.
func (a *app) demo(ctx context.Context, o *demoOptions) error {
	scenario, err := readScenario(o.scenario)
	if err != nil {
		return &hintError{err, exitUsage, "built-in scenarios: " + strings.Join(lab.Builtins(), ", ")}
	}
	if !o.inProcess {
		inside, code, err := lab.Namespace()
		switch {
		case err != nil:
			a.talk.say("no namespace for real packets can be had here (%v): the space is simulated in process", err)
			o.inProcess = true
		case !inside && code != 0:
			return exitCode(code)
		case !inside:
			return nil
		}
	}
	if o.speed == 0 {
		const length = 2 * 60 // seconds
		o.speed = max(1, int64(scenario.End-scenario.Start)/1000/length)
	}
	found, err := a.playDemo(ctx, o, scenario)
	if err != nil {
		return err
	}
	return a.reportDemo(o, scenario, found)
}

func readScenario(name string) (*lab.Scenario, error) {
	for _, b := range lab.Builtins() {
		if b == name {
			return lab.Builtin(name)
		}
	}
	if _, err := os.Stat(name); err != nil {
		return nil, fmt.Errorf("scenario %q is neither built in nor a file", name)
	}
	return lab.ReadScenario(name)
}

// playDemo measures the scenario from its start to its end, and returns the outages that the store then holds.
func (a *app) playDemo(ctx context.Context, o *demoOptions, scenario *lab.Scenario) ([]outage.Outage, error) {
	path := o.keep
	if path == "" {
		dir, err := os.MkdirTemp("", "brownout-demo-")
		if err != nil {
			return nil, fmt.Errorf("make a place for the demo's store: %w", err)
		}
		defer os.RemoveAll(dir)
		path = filepath.Join(dir, "demo.db")
	}
	s, err := store.Open(path, store.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()

	cursor, err := resumable(s, scenario)
	if err != nil {
		return nil, hint(err, "name a file that does not exist yet by --keep")
	}
	world, end := context.WithCancel(context.WithoutCancel(ctx)) // it outlives whoever measures it
	defer end()
	clock := probe.NewScaledClock(world, max(scenario.Start, cursor).Time(), o.speed)
	sim, err := openSimulation(world, o, scenario, clock)
	if err != nil {
		return nil, err
	}
	defer sim.close()
	e, closeAll, err := sim.config.engineOn(clock, s, slog.New(slog.DiscardHandler), sim.seams)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	view := a.demoView(o, scenario)
	defer view.close()
	user := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e.Stored = o.committed
	e.Watch = func(v engineView) {
		view.show(v)
		if v.Now >= scenario.End {
			cancel()
		}
	}
	if err := e.run(ctx); err != nil {
		return nil, err
	}
	if now := probe.InstantOf(clock.Now()); user.Err() != nil && now < scenario.End {
		return nil, hint(fmt.Errorf("interrupted at %s of the scenario, before its end: nothing is said of its verdicts", stamp(now)),
			"with --keep FILE, the same command goes on from there, and `brownout outages --store FILE` tells what was found so far")
	}
	return s.Outages()
}

// resumable is how far a store's demo was played, 0 of a new one. A store that holds anything else is an error.
func resumable(s *store.Store, scenario *lab.Scenario) (cursor probe.Instant, err error) {
	for _, newestFirst := range []bool{false, true} {
		for r, err := range s.Rounds(math.MinInt64, outage.EndOfTime, newestFirst) {
			if err != nil {
				return 0, err
			}
			if r.Vantage != demoVantage || r.Space.String() != scenario.Space.String() || r.Start < scenario.Start {
				return 0, fmt.Errorf("store %s holds a round of %s, measured by %s: it is not this demo's", s.Path(), stamp(r.Start), r.Vantage)
			}
			break
		}
	}
	if _, cursor, err = s.Detector(); err == nil && cursor >= scenario.End {
		err = fmt.Errorf("store %s holds a demo that was played to its end", s.Path())
	}
	return cursor, err
}

// demoVantage is the name of who measures a demo.
const demoVantage = "demo"

// simulation is a scenario that is being served.
type simulation struct {
	config *Config
	seams  seams
	close  func()
}

// openSimulation serves the scenario by a TUN device in this namespace, or in process.
func openSimulation(ctx context.Context, o *demoOptions, scenario *lab.Scenario, clock *probe.Clock) (*simulation, error) {
	world, err := lab.NewWorld(scenario)
	if err != nil {
		return nil, err
	}
	sim := &simulation{config: scenarioConfig(scenario), close: func() {}}
	if o.inProcess {
		sim.seams = seams{openWire: lab.OpenWire(world, clock), ping: lab.Ping(world, clock)}
		return sim, nil
	}
	served, err := lab.Serve(ctx, lab.Config{World: world, Clock: clock})
	if err != nil {
		return nil, fmt.Errorf("serve the scenario: %w", err)
	}
	sim.close = func() { served.Close() }
	return sim, nil
}

// scenarioConfig is the configuration by which a scenario is measured.
func scenarioConfig(scenario *lab.Scenario) *Config {
	c := DefaultConfig()
	d := &scenario.Demo
	c.Targets = scenario.Space
	c.Space.BlockBits = d.BlockBits
	c.Probe.Protocols, c.Probe.Round, c.Probe.CoreInterval = d.Protocols, d.Round, d.CoreInterval
	c.Probe.Timeout, c.Probe.LateWindow = d.Timeout, 5*d.Timeout
	c.Probe.Rate, c.Probe.ExtraPer24 = 0, 0
	c.Probe.Contact = "https://brownout.example/demo"
	c.Vantage.Name, c.Vantage.References = demoVantage, scenario.References
	return c
}

func (a *app) demoView(o *demoOptions, scenario *lab.Scenario) *liveView {
	out := a.stdout
	if *o.format == "json" {
		out = a.stderr
	}
	return newLiveView(out, liveOptions{
		Title: fmt.Sprintf("%s, %d times as fast", scenario.Name, o.speed),
		Space: scenario.Space, From: scenario.Start, To: scenario.End,
		Color: a.paletteOf(out).on, Terminal: a.drawsOver(out), Size: func() (int, int) { return terminalSize(out) },
	})
}

// reportDemo prints what was found beside the truth, and fails where they differ.
func (a *app) reportDemo(o *demoOptions, scenario *lab.Scenario, found []outage.Outage) error {
	var truth []truthOutage
	for _, t := range scenario.Truth() {
		if t.Block != lab.SpaceBlock {
			continue
		}
		truth = append(truth, truthOutage{Block: t.Block, Kind: stateOf(t.Kind), Start: t.Start, End: t.End, Optional: t.Optional})
	}
	h := outage.History{}
	h.Add(outage.Findings{Outages: found})
	if whole := h.Outages(false); *o.format == "json" {
		if err := web.WriteList(a.stdout, whole); err != nil {
			return err
		}
	} else {
		renderOutages(a.stdout, whole, truth, a.paletteOf(a.stdout).on)
	}
	if wrong := compareTruth(found, scenario.Truth()); len(wrong) > 0 {
		for _, w := range wrong {
			a.talk.say("%s", w)
		}
		return hint(errors.New("the verdicts are not the scenario's truth"), "a busy machine can do that: try a lower --speed")
	}
	return nil
}

func terminalSize(w io.Writer) (columns, rows int) {
	if f, ok := fileOf(w); ok {
		if c, r, err := term.GetSize(int(f.Fd())); err == nil {
			return c, r
		}
	}
	return 80, 24
}

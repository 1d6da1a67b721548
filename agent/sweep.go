package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"brownout/probe"
)

// sweepOnce sweeps the configured space once and waits for late replies. Where ctx ends first, the round so far comes
// with ctx's error.
func (a *app) sweepOnce(ctx context.Context, cfg *Config, span time.Duration) (*probe.Round, error) {
	sweeper, err := probe.OpenSweeper(cfg.sweeperConfig(nil, nil), cfg.Probe.Protocols)
	if err != nil {
		return nil, explainSweeper(err)
	}
	defer sweeper.Close()
	order := probe.Order{Space: cfg.Targets, Aims: cfg.aims(), Seed: rand.Uint64(), Span: span, Vantage: cfg.Vantage.Name}
	if !cfg.isDefault("probe.retries") {
		order.Usual = func(netip.Addr, probe.Protocol) bool { return true } // nothing is known of anybody yet
	}
	beside, err := watchReferences(ctx, cfg)
	if err != nil {
		return nil, err
	}
	sweep, err := sweeper.Start(ctx, order)
	if err != nil {
		return nil, errors.Join(explainSweeper(err), beside.close())
	}
	a.showProgress(sweep)
	<-sweep.Done()
	round, _ := sweep.Round()
	a.vouch(cfg, beside, round)
	a.tellUnsent(sweeper.Stats(), ctx.Err() != nil)
	return round, ctx.Err()
}

// references are pinged beside a sweep: again and again, for one that takes long, and once, for one that is over before
// that can tell anything.
type references struct {
	vantage *probe.Vantage
	silent  chan int // of those asked once
}

func watchReferences(ctx context.Context, cfg *Config) (*references, error) {
	v, err := probe.OpenVantage(probe.VantageConfig{References: cfg.Vantage.References, Targets: cfg.Targets, Timeout: cfg.Probe.Timeout})
	if err != nil {
		return nil, err
	}
	b := &references{vantage: v, silent: make(chan int, 1)}
	go func() {
		silent, err := askReferences(ctx, cfg.Vantage.References)
		if err != nil { // nobody could be asked: nobody vouches
			b.silent <- len(cfg.Vantage.References)
			return
		}
		b.silent <- len(silent)
	}()
	return b, nil
}

// close ends the pings and waits for them.
func (b *references) close() error {
	<-b.silent
	return b.vantage.Close()
}

// vouch records what the references say of our own connectivity.
func (a *app) vouch(cfg *Config, b *references, r *probe.Round) {
	silent := <-b.silent
	n := len(cfg.Vantage.References)
	r.Unverified = !b.vantage.Verified() && !cfg.Vantage.AcknowledgeNoVantage
	r.VantageOK = !b.vantage.Verified() || silent*2 <= n
	if !r.VantageOK {
		a.talk.warn("%d of %d references are silent: this machine's own connectivity is in doubt", silent, n)
	}
	for _, bad := range b.vantage.Bad(r.Start, r.End) {
		r.VantageBad = append(r.VantageBad, probe.Window{From: int64(bad.From - r.Start), To: int64(bad.To - r.Start)})
	}
	if err := b.vantage.Close(); err != nil {
		a.talk.warn("%v", err)
	}
}

// explainSweeper adds the next step to a failure to open sockets.
func explainSweeper(err error) error {
	return hint(err, "`brownout doctor` tells which sockets can be opened here, and how to be permitted more")
}

// progressEvery is how often a terminal is told how far a sweep got.
const progressEvery = 200 * time.Millisecond

// showProgress follows a sweep on a terminal until it is over.
func (a *app) showProgress(sweep *probe.Sweep) {
	if !a.drawsOver(a.stderr) {
		return
	}
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		sent, planned, answered := sweep.Progress()
		fmt.Fprintf(a.stderr, "\r\x1b[Kbrownout: %d of %d probes sent, %d answered", sent, planned, answered)
		select {
		case <-sweep.Done():
			fmt.Fprint(a.stderr, "\r\x1b[K")
			return
		case <-tick.C:
		}
	}
}

// tellUnsent warns of probes that we failed to send.
func (a *app) tellUnsent(stats probe.SweeperStats, interrupted bool) {
	unsent, reasons := uint64(0), map[string]uint64{}
	for _, s := range stats.Protocols {
		unsent += s.Outcomes[probe.Unsent]
		for reason, n := range s.Local {
			reasons[reason] += n
		}
	}
	if unsent == 0 || interrupted {
		return
	}
	var why []string
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		why = append(why, fmt.Sprintf("%s %d", reason, reasons[reason]))
	}
	a.talk.warn("%d probes were not sent: %s", unsent, strings.Join(why, ", "))
}

// checkFlood refuses an unpaced sweep of other people's addresses.
func checkFlood(cfg *Config) error {
	if cfg.mayFlood() {
		return nil
	}
	return &hintError{
		errors.New("--unpaced: only loopback and 198.18.0.0/15 may be swept as fast as this machine can"), exitUsage,
		"leave out --unpaced, or add --acknowledge-fast if the owners of the addresses agree",
	}
}

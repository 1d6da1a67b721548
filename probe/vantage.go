package probe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

// VantageConfig says by which references our own connectivity is judged. The zero value is useful: without references
// nothing is pinged and nothing vouched for.
type VantageConfig struct {
	References []netip.Addr // see [Vouch]
	Targets    Space        // what they are to vouch for
	Gateway    netip.Addr   // a diagnosis only, for in a container it always answers; zero: not pinged

	Clock    *Clock        // nil: the real one
	Interval time.Duration // between pings to a reference, on the clock; 0: 10 s
	Timeout  time.Duration // of a ping, real; 0: 3 s

	Privileged bool // whether to ping by raw sockets only; else by datagram ones where permitted

	// Ping asks an address once, and returns soon after ctx ends. nil: [Ping].
	Ping func(ctx context.Context, a netip.Addr) (rtt time.Duration, err error)

	Log *slog.Logger // nil: discard
}

const (
	defaultVantageInterval = 10 * time.Second
	vantagePatience        = 20 * time.Second // of fewer than half answering, before that is sickness
	vantageTimeouts        = 4                // intervals in a timeout, at most: pings to a reference that overlap
)

func (c VantageConfig) withDefaults() (VantageConfig, error) {
	if c.Interval < 0 || c.Timeout < 0 {
		return c, fmt.Errorf("open vantage: a negative interval or timeout")
	}
	for i, a := range c.References {
		if !a.IsValid() || slices.Contains(c.References[:i], a) {
			return c, fmt.Errorf("open vantage: reference %s is no address or stands there twice", a)
		}
	}
	if c.Clock == nil {
		c.Clock = &Clock{}
	}
	if c.Interval == 0 {
		c.Interval = defaultVantageInterval
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Ping == nil {
		c.Ping = func(ctx context.Context, a netip.Addr) (time.Duration, error) { return Ping(ctx, a, c.Privileged) }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	// Timeouts are real: on a scaled clock a short interval would ask more often than a ping can tell.
	c.Interval = max(c.Interval, c.Timeout/vantageTimeouts*time.Duration(c.Clock.Scale()))
	return c, nil
}

// patience is how long fewer than half answer before that is sickness, in milliseconds on the clock.
func (c *VantageConfig) patience() int64 { return max(vantagePatience, 2*c.Interval).Milliseconds() }

// Vantage judges our own connectivity by pinging references beside the rounds. Its methods may be called from any
// goroutine.
type Vantage struct {
	cfg      VantageConfig
	verified bool
	cancel   context.CancelFunc
	run      sync.WaitGroup

	mu      sync.Mutex // guards what follows
	judge   *vantageJudge
	pending []int // by target of pings: under way
	gateway *bool
	warned  bool // that pings are not permitted
}

// OpenVantage begins to ping.
func OpenVantage(cfg VantageConfig) (*Vantage, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	v := &Vantage{cfg: cfg, cancel: cancel}
	now := cfg.Clock.Now()
	v.judge = newVantageJudge(len(cfg.References), cfg.byFamily(), cfg.patience(), InstantOf(now))
	v.verified = Vouch(cfg.References, cfg.Targets) == nil
	targets := v.targets()
	v.pending = make([]int, len(targets))
	if len(targets) > 0 {
		v.run.Add(1)
		go func() {
			defer v.run.Done()
			v.loop(ctx, newPingPlan(len(targets), cfg.Interval, now))
		}()
	}
	return v, nil
}

// targets is what is pinged: the references, and last the gateway if there is one.
func (v *Vantage) targets() []netip.Addr {
	targets := slices.Clone(v.cfg.References)
	if v.cfg.Gateway.IsValid() {
		targets = append(targets, v.cfg.Gateway)
	}
	return targets
}

// Close ends the pings and waits for them.
func (v *Vantage) Close() error {
	v.cancel()
	v.run.Wait()
	return nil
}

// loop pings by plan until ctx ends.
func (v *Vantage) loop(ctx context.Context, plan *pingPlan) {
	targets := v.targets()
	for {
		target, at := plan.next()
		if v.cfg.Clock.SleepUntil(ctx, at) != nil {
			return
		}
		now := v.cfg.Clock.Now()
		plan.pinged(target, now)
		v.ping(ctx, target, targets[target], now)
	}
}

// ping begins one ping. Where too many to the target are under way already, that is no answer either.
func (v *Vantage) ping(ctx context.Context, target int, a netip.Addr, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var p *refPing // nil: to the gateway
	if target < len(v.cfg.References) {
		p = v.judge.begin(target, InstantOf(now))
	}
	if v.pending[target] > vantageTimeouts {
		v.end(p, now, 0, fmt.Errorf("ping %s: %d pings to it are under way", a, v.pending[target]))
		return
	}
	v.pending[target]++
	v.run.Add(2)
	go func() {
		defer v.run.Done()
		limited, cancel := context.WithTimeout(ctx, v.cfg.Timeout)
		defer cancel()
		// What is overdue is judged, whether or not its ping comes back.
		stop := context.AfterFunc(limited, func() {
			defer v.run.Done()
			v.ended(ctx, p, now, 0, limited.Err())
		})
		rtt, err := v.cfg.Ping(limited, a)
		if stop() {
			v.run.Done()
		}
		v.ended(ctx, p, now, rtt, err)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.pending[target]--
	}()
}

// ended takes in how a ping ended, unless it is known already or the pings were called off, which tells nothing.
func (v *Vantage) ended(ctx context.Context, p *refPing, sent time.Time, rtt time.Duration, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if ctx.Err() == nil && (p == nil || !p.over) {
		v.end(p, sent, rtt, err)
	}
}

// end takes in how a ping of a time ended. The caller holds the lock.
func (v *Vantage) end(p *refPing, sent time.Time, rtt time.Duration, err error) {
	if p == nil {
		ok := err == nil
		v.gateway = &ok
		return
	}
	was := v.judge.state
	var answered Instant
	if err == nil {
		answered = InstantOf(sent.Add(rtt * time.Duration(v.cfg.Clock.Scale())))
	} else {
		v.tell(v.cfg.References[p.ref], err)
	}
	v.judge.end(p, answered)
	if is := v.judge.state; is != was && v.Verified() && (is == vantageSick || was == vantageSick) {
		v.cfg.Log.Info("vantage", "sick", is == vantageSick, "answering", v.judge.count(), "references", len(v.cfg.References))
	}
}

// tell logs why a reference counts as silent. Where pings are not permitted all of them do, always: that is worth a warning.
func (v *Vantage) tell(reference netip.Addr, err error) {
	level := slog.LevelDebug
	if errors.Is(err, os.ErrPermission) && !v.warned {
		v.warned, level = true, slog.LevelWarn
	}
	v.cfg.Log.Log(context.Background(), level, "reference did not answer", "reference", reference, "error", err)
}

// Verified reports whether there are references enough to vouch for the vantage: see [Vouch].
func (v *Vantage) Verified() bool { return v.verified }

// Bad is when within [from, to) our own connectivity is known to have been bad, ascending; in a simulation, on the clock.
// Up to [Vantage.Settled] nothing will be added to it. An unverified vantage is never known to be bad.
func (v *Vantage) Bad(from, to Instant) []Range {
	if !v.Verified() {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.judge.ranges(from, to)
}

// Settled is the instant up to which the judgement is final: what was silent before it is not our own doing, or lies in
// what Bad says. It stays behind by a ping's interval and timeout, and while the vantage is suspected at the last good
// moment; it goes back only with the wall clock. That of an unverified vantage is now.
func (v *Vantage) Settled() Instant {
	if !v.Verified() {
		return InstantOf(v.cfg.Clock.Now())
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.judge.settled
}

// VantageHealth is the state of our own connectivity.
type VantageHealth struct {
	OK                    bool // half of the references answer, of each family, and there are enough of them
	Sick                  bool // fewer do, for long enough
	Answering, References int
	Since                 Instant // of the state
	GatewayOK             *bool   // nil: not pinged, or not yet
}

// Health is the state as of the latest pings.
func (v *Vantage) Health() VantageHealth {
	v.mu.Lock()
	defer v.mu.Unlock()
	h := VantageHealth{
		OK:        v.Verified() && v.judge.state == vantageGood,
		Sick:      v.Verified() && v.judge.state == vantageSick,
		Answering: v.judge.count(), References: len(v.cfg.References),
		Since: v.judge.since,
	}
	if h.Sick {
		h.Since = v.judge.open // when it began, not when it was declared
	}
	if v.gateway != nil {
		ok := *v.gateway
		h.GatewayOK = &ok
	}
	return h
}

package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"brownout/agent/schedule"
	"brownout/probe"
	"brownout/probe/outage"
)

// collect looks at a sweep, and returns its watermark.
func (e *engine) collect(u *underWay) probe.Instant {
	if u.final {
		return u.end
	}
	final, sent := closed(u.sweep.Done()), closed(u.sweep.Sent())
	u.known = u.sweep.Known() // before the round: what is decided between the two is then known, and not said to be
	r, decided := u.sweep.Round()
	if !sent {
		r.End = max(r.End, decided)
	}
	u.end = max(u.end, r.End)
	r.End = u.end
	r.Unverified = !e.Vantage.Verified() && !e.Trusted
	until := r.End.Add(r.TimeoutMS())
	for _, bad := range e.Vantage.Bad(r.Start, min(until, e.vouched)) {
		r.VantageBad = append(r.VantageBad, probe.Window{From: int64(bad.From - r.Start), To: int64(bad.To - r.Start)})
	}
	if final {
		r.Curtail(u.known) // where it was broken off
	}
	u.round = r
	u.final = final && e.vouched >= until
	return decided
}

// settled is the instant up to which silence is known not to be our own doing. Where nobody vouches for that, there is
// nothing to wait for.
func (e *engine) settled() probe.Instant {
	if !e.Vantage.Verified() {
		return outage.EndOfTime
	}
	return e.Vantage.Settled()
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (e *engine) start(ctx context.Context, due schedule.Due) error {
	if due.Missed > 0 {
		missed := time.Duration(due.Missed) * time.Millisecond
		e.Log.Warn("a round could not start in time; the time between is unknown", "missed", missed)
		e.planner.Late(missed, probe.InstantOf(e.Clock.Now()))
	}
	if due.Full {
		if e.Began != nil {
			e.Began(time.Duration(due.Late) * time.Millisecond)
		}
		var aims []probe.Aim
		for _, p := range e.Protocols {
			aims = append(aims, probe.Aim{Protocol: p, Targets: e.Space})
		}
		if err := e.sweep(ctx, probe.Full, e.Round, aims); err != nil {
			return err
		}
	}
	if due.Core {
		if err := e.sweep(ctx, probe.Core, e.Core, e.detector.Core(e.allowance(e.Core))); err != nil {
			return err
		}
	}
	if due.Confirm {
		e.Log.Info("asking the usual services again")
		return e.sweep(ctx, probe.Confirm, confirmSpan, e.detector.Confirmation(e.allowance(0)))
	}
	return nil
}

func (e *engine) sweep(ctx context.Context, kind probe.Kind, span time.Duration, aims []probe.Aim) error {
	aims = e.configured(aims)
	if len(aims) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	s, err := e.Sweeper.Start(ctx, probe.Order{
		Kind: kind, Space: e.Space, Aims: aims, Seed: rand.Uint64(), Span: span, Usual: e.usual(kind), Vantage: e.Name,
	})
	if err != nil {
		cancel()
		return fmt.Errorf("start %v: %w", kind, err)
	}
	e.under = append(e.under, &underWay{sweep: s, cancel: cancel})
	return nil
}

// usual is the services that are asked again when silent, as of now: of full rounds only, for the others ask again by
// themselves.
func (e *engine) usual(kind probe.Kind) func(netip.Addr, probe.Protocol) bool {
	if kind != probe.Full {
		return nil
	}
	core := map[probe.Protocol]probe.Space{}
	for _, a := range e.detector.UsualServices() {
		core[a.Protocol] = a.Targets
	}
	return func(a netip.Addr, p probe.Protocol) bool {
		_, ok := core[p].Index(a)
		return ok
	}
}

// allowance is how many services of a /24 a pass may ask: of core passes, what leaves a third of the allowance to
// confirmations and retries; of a confirmation, what fits a full bucket.
func (e *engine) allowance(every time.Duration) outage.Allowance {
	const bucket, othersPerSecond = 32, 2
	switch {
	case e.ExtraPer24 == 0:
		return outage.Allowance{}
	case every == 0:
		return outage.Allowance{ICMP: bucket, Others: bucket}
	}
	share := every.Seconds() * 2 / 3
	return outage.Allowance{ICMP: max(1, int(share*e.ExtraPer24)), Others: max(1, int(share*othersPerSecond))}
}

// configured leaves out what was learned of protocols that are no longer probed, and of addresses that were taken out of the
// space: the detector knows of that only once it has judged that a round of the new one began.
func (e *engine) configured(aims []probe.Aim) []probe.Aim {
	var out []probe.Aim
	for _, a := range aims {
		if !slices.Contains(e.Protocols, a.Protocol) {
			continue
		}
		var within []netip.Addr
		for i := range a.Targets.Len() {
			if at := a.Targets.Addr(i); e.holds(at) {
				within = append(within, at)
			}
		}
		switch len(within) {
		case 0:
		case a.Targets.Len():
			out = append(out, a)
		default:
			if targets, err := probe.SpaceOfAddrs(within...); err == nil {
				out = append(out, probe.Aim{Protocol: a.Protocol, Targets: targets})
			}
		}
	}
	return out
}

func (e *engine) holds(a netip.Addr) bool {
	_, ok := e.Space.Index(a)
	return ok
}

package lab

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"brownout/probe"
)

// OpenWire answers a sweeper in process, without a socket: its result is what SweeperConfig.OpenWire wants. What a real
// wire would reject, the damaged and the forged, does not arrive.
func OpenWire(w *World, clock *probe.Clock) func(kind probe.Protocol, sink func(probe.Arrival)) (probe.Wire, error) {
	return func(_ probe.Protocol, sink func(probe.Arrival)) (probe.Wire, error) {
		return &inProcess{world: w, clock: clock, later: newDelayer(sink)}, nil
	}
}

type inProcess struct {
	world *World
	clock *probe.Clock
	later *delayer[probe.Arrival]
}

// Send takes every packet.
func (w *inProcess) Send(packets []probe.Packet) {
	for i := range packets {
		p := &packets[i]
		p.Err = nil
		now := probe.InstantOf(w.clock.Now())
		r := w.world.Respond(now, p.Target, p.Protocol, uint64(p.Ticket))
		if !r.Credit() {
			continue
		}
		a := arrivalOf(&r, p.Ticket)
		a.At = time.Now().Add(r.RTT) // by the stamp of a kernel that is never busy
		for range 1 + int(r.Duplicates) {
			w.later.add(a.At, a)
		}
	}
}

// Forget has nothing to free: what is under way arrives.
func (w *inProcess) Forget([]probe.Ticket) {}

// Close drops what has not arrived.
func (w *inProcess) Close() error {
	w.later.stop()
	return nil
}

func arrivalOf(r *Response, t probe.Ticket) probe.Arrival {
	a := probe.Arrival{Ticket: t, Outcome: probe.Reply}
	switch r.Kind {
	case Refusal:
		a.Outcome = probe.Refused
	case Unreachable:
		a.Outcome, a.Type, a.Code, a.From = probe.Unreachable, r.Type, r.Code, r.From
	}
	return a
}

// Ping pings an address in process, for judging the vantage: a real round trip, or an error when ctx ends first.
func Ping(w *World, clock *probe.Clock) func(ctx context.Context, a netip.Addr) (time.Duration, error) {
	return func(ctx context.Context, a netip.Addr) (time.Duration, error) {
		start := time.Now()
		r := w.Respond(probe.InstantOf(clock.Now()), a, probe.ICMP, uint64(start.UnixNano()))
		var answer <-chan time.Time
		if r.Kind == Answer && !r.Corrupted {
			timer := time.NewTimer(r.RTT)
			defer timer.Stop()
			answer = timer.C
		}
		select {
		case <-answer:
			return time.Since(start), nil
		case <-ctx.Done():
			return 0, fmt.Errorf("ping %s: %w", a, ctx.Err())
		}
	}
}

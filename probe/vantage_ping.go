package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"

	probing "github.com/prometheus-community/pro-bing"
)

// pingPlan says when each of a number of targets is pinged: all at once at first, so that a short-lived process learns
// soon how it stands, then each at its own phase of the interval, so that some ping is always recent.
type pingPlan struct {
	interval time.Duration
	due      []time.Time
	first    []bool
}

func newPingPlan(targets int, interval time.Duration, now time.Time) *pingPlan {
	p := &pingPlan{interval: interval, due: make([]time.Time, targets), first: make([]bool, targets)}
	for i := range p.due {
		p.due[i], p.first[i] = now, true
	}
	return p
}

// next is the target whose turn is next, and when that is.
func (p *pingPlan) next() (target int, at time.Time) {
	for i := range p.due {
		if p.due[i].Before(p.due[target]) {
			target = i
		}
	}
	return target, p.due[target]
}

// pinged notes that a target was pinged. What was missed meanwhile is not made up for.
func (p *pingPlan) pinged(target int, now time.Time) {
	step := p.interval
	if p.first[target] {
		p.first[target] = false
		step = p.interval * time.Duration(target+1) / time.Duration(len(p.due))
	}
	p.due[target] = p.due[target].Add(step)
	if late := now.Sub(p.due[target]); late > 0 {
		p.due[target] = p.due[target].Add(late.Truncate(p.interval) + p.interval)
	}
}

// Ping sends one echo request by pro-bing and waits for the reply until ctx ends. It uses an unprivileged datagram socket,
// and where that is not permitted, or privileged is set, a raw one.
func Ping(ctx context.Context, a netip.Addr, privileged bool) (rtt time.Duration, err error) {
	rtt, err = ping(ctx, a, privileged)
	if !privileged && errors.Is(err, os.ErrPermission) {
		if raw, rawErr := ping(ctx, a, true); !errors.Is(rawErr, os.ErrPermission) {
			return raw, rawErr
		}
	}
	return rtt, err
}

func ping(ctx context.Context, a netip.Addr, privileged bool) (rtt time.Duration, err error) {
	p := probing.New("")
	p.SetIPAddr(&net.IPAddr{IP: a.AsSlice(), Zone: a.Zone()})
	p.SetPrivileged(privileged)
	p.Count, p.RecordRtts = 1, false
	p.SetLogger(patientLogger{ctx: ctx})
	p.OnSendError = func(_ *probing.Packet, sendErr error) {
		err = sendErr
		pause(ctx)
	}
	began := time.Now()
	p.OnRecv = func(reply *probing.Packet) {
		// pro-bing takes a reply from anyone, and measures by the wall clock.
		if from, ok := netip.AddrFromSlice(reply.IPAddr.IP); ok && from.Unmap() == a.Unmap() {
			rtt = max(min(reply.Rtt, time.Since(began)), 1)
		}
	}
	runErr := p.RunWithContext(ctx)
	switch {
	case rtt > 0:
		return rtt, nil
	case err == nil:
		err = runErr
	}
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		return 0, fmt.Errorf("ping %s: no answer", a)
	}
	return 0, fmt.Errorf("ping %s: %w", a, err)
}

// pause keeps pro-bing, which repeats a send that met ENOBUFS or EACCES at once and for ever, from spinning, and ends its
// goroutine once ctx has ended; a Pinger waits for its goroutines however they end.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
		runtime.Goexit()
	case <-time.After(time.Millisecond):
	}
}

// patientLogger is where pro-bing comes by when it repeats a send after EACCES, and hardly else. It logs nothing.
type patientLogger struct {
	probing.NoopLogger
	ctx context.Context
}

func (l patientLogger) Infof(string, ...any) { pause(l.ctx) }

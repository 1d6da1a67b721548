package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brownout/probe"

	"go.uber.org/goleak"
)

// sweepOnce sweeps a scenario's space unpaced and tells what answered, a line each.
func sweepOnce(t *testing.T, s *Scenario, cfg probe.SweeperConfig, protocols ...probe.Protocol) (lines []string, stats probe.SweeperStats) {
	t.Helper()
	// Long enough for a busy machine, and the lateness of the tests is longer.
	cfg.Timeout, cfg.LateWindow = 500*time.Millisecond, 2*time.Second
	sweeper, err := probe.OpenSweeper(cfg, protocols)
	if err != nil {
		t.Fatal(err)
	}
	defer sweeper.Close()
	order := probe.Order{Space: s.Space, Seed: 5}
	for _, p := range protocols {
		order.Aims = append(order.Aims, probe.Aim{Protocol: p, Targets: s.Space})
	}
	sweep, err := sweeper.Start(context.Background(), order)
	if err != nil {
		t.Fatal(err)
	}
	<-sweep.Sent()
	if s.Noise.Late > 0 {
		<-sweep.Done()
	}
	round, _ := sweep.Round()
	for i := range round.Passes {
		pass := &round.Passes[i]
		if n := len(pass.Unsent); n != 0 {
			t.Errorf("%d probes of %s were not sent", n, pass.Protocol)
		}
		for k := range pass.Answers {
			a := &pass.Answers[k]
			lines = append(lines, fmt.Sprintf("%s %s %s", pass.Protocol, pass.Targets.Addr(int(a.Target)), a.Outcome))
		}
	}
	slices.Sort(lines)
	return lines, sweeper.Stats()
}

// outcomes is what a sweep of a scenario without noise must tell.
func outcomes(w *World, at probe.Instant, protocols ...probe.Protocol) []string {
	var lines []string
	for _, p := range protocols {
		for i := range w.space.Len() {
			a := w.space.Addr(i)
			switch w.undisturbed(at, a, p).Kind {
			case Answer:
				lines = append(lines, fmt.Sprintf("%s %s reply", p, a))
			case Refusal:
				lines = append(lines, fmt.Sprintf("%s %s refused", p, a))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("the sweep tells\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func scenes(t *testing.T) []struct {
	s  *Scenario
	at probe.Instant
} {
	dark, filtered := quiet(t, "one-block-dark"), quiet(t, "icmp-filtered")
	return []struct {
		s  *Scenario
		at probe.Instant
	}{
		{dark, dark.Start},
		{dark, instant(t, "2015-03-02T10:00:00Z")},
		{filtered, instant(t, "2015-03-02T10:00:00Z")},
	}
}

var allProtocols = []probe.Protocol{probe.ICMP, probe.TCP(80), probe.TCP(443), probe.DNS}

func TestASweepInProcessFindsTheScenario(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	for _, c := range scenes(t) {
		w := world(t, c.s)
		ctx, cancel := context.WithCancel(context.Background())
		clock := probe.NewScaledClock(ctx, c.at.Time(), 1)
		got, _ := sweepOnce(t, c.s, probe.SweeperConfig{Clock: clock, OpenWire: OpenWire(w, clock)}, allProtocols...)
		compare(t, got, outcomes(w, c.at, allProtocols...))
		cancel()
	}
	goleak.VerifyNone(t, ignore)
}

// A sweep through kernel sockets and the TUN device tells the same as one in process.
func TestASweepOfRealPacketsFindsTheSame(t *testing.T) {
	for _, c := range scenes(t) {
		l := serve(t, c.s, c.at)
		ctx, cancel := context.WithCancel(context.Background())
		clock := probe.NewScaledClock(ctx, c.at.Time(), 1)
		got, _ := sweepOnce(t, c.s, probe.SweeperConfig{Clock: clock}, allProtocols...)
		compare(t, got, outcomes(world(t, c.s), c.at, allProtocols...))
		cancel()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// In both worlds, what comes twice, late, damaged or forged is taken for what it is.
func TestNoiseIsSeenThroughBothWires(t *testing.T) {
	icmp := []probe.Protocol{probe.ICMP}
	const target = "icmp 198.18.1.9 "
	router := netip.MustParseAddr("198.19.254.1")
	steady := quiet(t, "steady")
	for name, c := range map[string]struct {
		s    *Scenario
		want []string
	}{
		"duplicates": {noisy(t, Noise{Duplicates: 1}, Host{}), []string{target + "reply"}},
		"late":       {noisy(t, Noise{Late: 1, LateBy: time.Second}, Host{}), []string{target + "late"}},
		"corrupted":  {noisy(t, Noise{Corrupted: 1}, Host{}), nil},
		"forged":     {noisy(t, Noise{Forged: 1}, Host{}), []string{target + "reply"}},
		"unreachable": {noisy(t, Noise{Unreachable: 1, Router: router}, Host{},
			Phase{From: steady.Start, To: steady.End, State: Partial, Dark: []netip.Prefix{netip.MustParsePrefix("198.18.1.9/32")}}),
			[]string{target + "unreachable"}},
	} {
		w := world(t, c.s)
		t.Run(name+" in process", func(t *testing.T) {
			clock := probe.NewScaledClock(t.Context(), c.s.Start.Time(), 1)
			got, _ := sweepOnce(t, c.s, probe.SweeperConfig{Clock: clock, OpenWire: OpenWire(w, clock)}, icmp...)
			compare(t, got, c.want)
		})
		t.Run(name+" on the wire", func(t *testing.T) {
			serve(t, c.s, c.s.Start)
			got, _ := sweepOnce(t, c.s, probe.SweeperConfig{Clock: probe.NewScaledClock(t.Context(), c.s.Start.Time(), 1)}, icmp...)
			compare(t, got, c.want)
		})
	}
}

func TestArrivalsComeInTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quiet(t, "steady")
		clock := probe.NewScaledClock(t.Context(), s.Start.Time(), 60)
		w := world(t, s)
		arrivals := make(chan probe.Arrival, 64)
		wire, err := OpenWire(w, clock)(probe.ICMP, func(a probe.Arrival) {
			if d := time.Since(a.At); d != 0 {
				t.Errorf("ticket %d arrives %s after its time", a.Ticket, d)
			}
			arrivals <- a
		})
		if err != nil {
			t.Fatal(err)
		}
		var packets []probe.Packet
		for i := range s.Hosts {
			packets = append(packets, probe.Packet{Ticket: probe.Ticket(i), Target: s.Hosts[i].Address, Protocol: probe.ICMP})
		}
		sent := time.Now()
		wire.Send(packets)
		var last time.Time
		for range 18 {
			a := <-arrivals
			h := &s.Hosts[a.Ticket]
			if rtt := a.At.Sub(sent); rtt < h.RTT || rtt > h.RTT+h.Jitter || a.At.Before(last) {
				t.Errorf("%s answers after %s, want %s and up to %s more", h.Address, rtt, h.RTT, h.Jitter)
			}
			last = a.At
		}
		time.Sleep(time.Second)
		if err := wire.Close(); err != nil || len(arrivals) != 0 {
			t.Errorf("%d more arrivals, %v", len(arrivals), err)
		}
	})
}

func TestPingInProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quiet(t, "own-uplink-down")
		w := world(t, s)
		for _, c := range []struct {
			at string
			a  netip.Addr
			ok bool
		}{
			{"2015-03-02T09:00:00Z", s.References[0], true},
			{"2015-03-02T10:00:00Z", s.References[0], false},
			{"2015-03-02T10:00:00Z", Gateway, true},
		} {
			clock := probe.NewScaledClock(t.Context(), instant(t, c.at).Time(), 1)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			rtt, err := Ping(w, clock)(ctx, c.a)
			cancel()
			if c.ok && (err != nil || rtt < nearRTT || rtt > 2*nearRTT) {
				t.Errorf("%s at %s: %s, %v", c.a, c.at, rtt, err)
			}
			if !c.ok && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s at %s: %s, %v, want silence", c.a, c.at, rtt, err)
			}
		}
	})
}

func TestDelayerKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		d := newDelayer(func(v string) { got = append(got, v) })
		start := time.Now()
		for _, v := range []string{"5", "3a", "9", "1", "7", "3b", "3c", "3d"} {
			d.add(start.Add(time.Duration(v[0]-'0')*time.Second), v)
		}
		time.Sleep(6 * time.Second)
		d.add(start, "over")
		time.Sleep(2 * time.Second)
		d.stop()
		d.add(start, "stopped")
		if want := []string{"1", "3a", "3b", "3c", "3d", "5", "over", "7"}; !slices.Equal(got, want) {
			t.Errorf("delivered %v, want %v", got, want)
		}
	})
}

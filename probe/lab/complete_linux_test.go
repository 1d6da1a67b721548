package lab

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"brownout/probe"
)

var long = flag.Bool("long", false, "repeat as often as the project's figures are stated for")

// TestEveryResponderIsFound sweeps labs that answer at once, unpaced, again and again: every host is found in every run.
// Here a prober that floods loses packets in three places: the device's queue, the responder that reads it, and its own
// receive buffer. With -long there are 50 runs of each, at the default timeout.
func TestEveryResponderIsFound(t *testing.T) {
	for _, c := range []struct {
		space string
		every int // one host in so many addresses
		runs  int
	}{{"198.18.0.0/22", 1, 5}, {"198.18.0.0/22", 64, 2}, {"198.18.0.0/16", 1, 1}, {"198.18.0.0/16", 64, 1}} {
		for _, mode := range []probe.ICMPMode{probe.ICMPRaw, probe.ICMPDatagram} {
			t.Run(fmt.Sprintf("%s, one in %d, %s", c.space, c.every, mode), func(t *testing.T) {
				cfg, runs := probe.SweeperConfig{ICMP: mode, Timeout: 500 * time.Millisecond}, c.runs
				if *long {
					cfg.Timeout, runs = 0, 50
				}
				s := instantly(c.space, c.every)
				findHosts(t, serve(t, s, s.Start), s, cfg, runs)
			})
		}
	}
}

// instantly is a scenario without delay or noise, where one in so many addresses answers echo requests.
func instantly(space string, every int) *Scenario {
	s := &Scenario{Start: 1, End: 1 << 50, Demo: Demo{BlockBits: 24}}
	s.Space, _ = probe.ParseSpace([]string{space}, nil)
	for i := 0; i < s.Space.Len(); i += every {
		s.Hosts = append(s.Hosts, Host{Address: s.Space.Addr(i), Availability: 1, Spell: time.Hour, ICMP: true, DNS: DNSSilent})
	}
	return s
}

// findHosts sweeps a lab so many times and checks that all of its hosts are found.
func findHosts(t *testing.T, l *Lab, s *Scenario, cfg probe.SweeperConfig, runs int) {
	sweeper, err := probe.OpenSweeper(cfg, []probe.Protocol{probe.ICMP})
	if err != nil {
		t.Fatal(err)
	}
	defer sweeper.Close()
	var took, slowest time.Duration
	for run := range runs {
		begin := time.Now()
		w, err := sweeper.Start(context.Background(), probe.Order{Space: s.Space, Aims: []probe.Aim{{Protocol: probe.ICMP, Targets: s.Space}}, Seed: uint64(run)})
		if err != nil {
			t.Fatal(err)
		}
		<-w.Sent()
		took += time.Since(begin)
		slowest = max(slowest, time.Since(begin))
		r, _ := w.Round()
		if p := &r.Passes[0]; len(p.Answers) != len(s.Hosts) || len(p.Unsent) > 0 {
			t.Errorf("run %d: %d of %d found, %d unsent; sweeper %+v; lab %+v; device %s", run, len(p.Answers), len(s.Hosts),
				len(p.Unsent), sweeper.Stats(), l.Stats(), deviceCounts(t, l.Device()))
		}
	}
	stats := sweeper.Stats().Protocols[probe.ICMP]
	t.Logf("%d runs, %s on average, %s at most; %d packets a run; lab %+v; device %s", runs, took/time.Duration(runs), slowest,
		stats.Packets/uint64(runs), l.Stats(), deviceCounts(t, l.Device()))
}

// deviceCounts is what the kernel counted of the lab's device: what it dropped on the way out found its queue full.
func deviceCounts(t *testing.T, device string) string {
	t.Helper()
	b, err := os.ReadFile("/proc/net/dev")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		name, counts, _ := strings.Cut(strings.TrimSpace(line), ":")
		if f := strings.Fields(counts); name == device && len(f) > 11 {
			return fmt.Sprintf("in %s, dropped %s; out %s, dropped %s", f[1], f[3], f[9], f[11])
		}
	}
	return "unknown"
}

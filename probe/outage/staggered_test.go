package outage_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Where each vantage, each prefix or each host is asked at its own time of a round, and a line tells of that alone, the lines are close to
// each other at times and far from each other at others. They are rounds all the same: it is learned for twelve of them, the time from one line to
// the next is no gap, and outages are found as in rounds of one line.
func TestStaggeredLines(t *testing.T) {
	for name, c := range map[string]struct {
		every   time.Duration
		apart   []time.Duration // after the start of a round: a line each
		by      string          // what each of them has of its own
		hosts   int
		partial bool
	}{
		"vantages": {4 * time.Minute, []time.Duration{0, 7 * time.Second, 9 * time.Second, 70 * time.Second, 75 * time.Second, 200 * time.Second}, "vantage", 24, true},
		"prefixes": {11 * time.Minute, []time.Duration{0, 20 * time.Second, 45 * time.Second, 400 * time.Second}, "prefix", 24, true},
		"hosts":    {time.Minute, []time.Duration{0, 1100 * time.Millisecond, 1200 * time.Millisecond, 1250 * time.Millisecond, 20 * time.Second, 21 * time.Second, 21300 * time.Millisecond, 40 * time.Second}, "host", 8, false},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(cases(3, 20)) {
				w := newWorld(t, seed, probe.ICMP)
				var hosts []probe.Space
				for i := range c.hosts {
					at := 256*(i%4) + 3 + 5*i
					w.hosts = append(w.hosts, simHost{addr: w.space.Addr(at), rtt: 100_000, by: map[probe.Protocol]float64{probe.ICMP: 0.97}})
					hosts = append(hosts, w.alone(at))
				}
				every := c.every.Milliseconds()
				from, to := simStart.Add(80*every+int64(seed)*7_700), simStart.Add(110*every+int64(seed)*7_700)
				again, over := simStart.Add(180*every+int64(seed)*7_700), simStart.Add(220*every+int64(seed)*7_700)
				total := between(from, to)
				w.down = func(at probe.Instant, a netip.Addr, p probe.Protocol) bool {
					gone := c.partial && at >= again && at < over && a.As4()[3]%2 == 0
					return gone || total(at, a, p)
				}
				var lines []*probe.Round
				for i := range int64(300) {
					for k, apart := range c.apart {
						aims, vantage := w.aims, ""
						switch c.by {
						case "vantage":
							vantage = fmt.Sprintf("v%d", k)
						case "prefix":
							aims = []probe.Aim{{Protocol: probe.ICMP, Targets: w.third(k)}}
						case "host":
							aims = []probe.Aim{{Protocol: probe.ICMP, Targets: hosts[k]}}
						}
						r := w.round(probe.Full, simStart.Add(i*every+apart.Milliseconds()), time.Second, aims)
						r.Vantage = vantage
						lines = append(lines, unseeded(r))
					}
				}
				h, err := outage.Replay(outage.Config{}, &source{lines})
				if err != nil {
					t.Fatal(err)
				}
				var learned, unseen int64
				for _, s := range outage.Timeline(h.Changes, h.Until) {
					switch {
					case s.Block != outage.SpaceBlock:
					case s.State == outage.Learning:
						learned += int64(s.End - s.Start)
					case s.State == outage.Unknown:
						unseen += int64(s.End - s.Start)
					}
				}
				if learned < 11*every || learned > 14*every || unseen > 0 {
					t.Errorf("seed %d: it learned for %d s and did not know for %d s, want 12 rounds and none", seed, learned/1000, unseen/1000)
				}
				want := []outage.State{outage.Total}
				if c.partial {
					want = append(want, outage.Partial)
				}
				list := h.Outages(false)
				if len(list) != len(want) {
					t.Errorf("seed %d: the outages %v, want %v", seed, list, want)
					continue
				}
				for i, o := range list {
					start, end := from, to
					if i == 1 {
						start, end = again, over
					}
					if o.Kind != want[i] || o.End == nil || !inside(o.Start, start) || !inside(*o.End, end) {
						t.Errorf("seed %d: the outage %v, want one that is %v from %v to %v", seed, o, want[i], start, end)
					}
				}
			}
		})
	}
}

// Half of six hosts that are gone stay so for nine hours, where each round is told in 36 lines: what a block's level is while all is well
// is not learned anew by each of them.
func TestHalfGoneInManyLines(t *testing.T) {
	const minutes = 4
	held, seeds := 0, cases(6, 30)
	for seed := range uint64(seeds) {
		w := newWorld(t, seed, probe.ICMP)
		var hosts []probe.Space
		for i := range 6 {
			at := 100*i + 3
			w.hosts = append(w.hosts, simHost{addr: w.space.Addr(at), rtt: 100_000, by: map[probe.Protocol]float64{probe.ICMP: 0.97}})
			hosts = append(hosts, w.alone(at))
		}
		from := simStart.Add(5*day + 30*hour + int64(seed)*17*minute)
		to := from.Add(9 * hour)
		gone := between(from, to)
		w.down = func(at probe.Instant, a netip.Addr, p probe.Protocol) bool { return a.As4()[3]%8 < 4 && gone(at, a, p) }
		var lines []*probe.Round
		for i := range int64(8 * 24 * 60 / minutes) {
			for vantage := range int64(6) {
				for k, host := range hosts {
					start := simStart.Add(i*minutes*minute + vantage*31_000 + int64(k)*1_300)
					r := w.round(probe.Full, start, time.Second, []probe.Aim{{Protocol: probe.ICMP, Targets: host}})
					r.Vantage = fmt.Sprintf("v%d", vantage)
					lines = append(lines, unseeded(r))
				}
			}
		}
		h, err := outage.Replay(outage.Config{}, &source{lines})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range h.Outages(false) {
			if o.Kind == outage.Partial && inside(o.Start, from) && o.End != nil && inside(*o.End, to) {
				held++
			}
		}
	}
	nineInTen(t, held, seeds)
}

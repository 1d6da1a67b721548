package outage_test

import (
	"net/netip"
	"testing"

	"brownout/probe"
	"brownout/probe/outage"
)

// inTurn is rounds of 11 minutes that each ask so many of the hosts, one after the other in an order of their own, or fewer: until one
// answers, as Trinocular does.
func (w *world) inTurn(n, each int, adaptive bool) []*probe.Round {
	order := w.rng.Perm(len(w.hosts))
	next := 0
	var lines []*probe.Round
	for i := range int64(n) {
		r := &probe.Round{
			Kind: probe.Full, Start: simStart.Add(i * 11 * minute), Vantage: "sim", VantageOK: true, Space: w.space, Timeout: 3_000_000_000, Scale: 1,
		}
		var asked []netip.Prefix
		var lives []probe.Answer
		var addresses []netip.Addr
		for k := range each {
			h := &w.hosts[order[next%len(order)]]
			next++
			offset := int32(k * 3_000)
			asked = append(asked, netip.PrefixFrom(h.addr, 32))
			if w.rng.Float64() < h.by[probe.ICMP] && (w.down == nil || !w.down(r.Start.Add(int64(offset)), h.addr, probe.ICMP)) {
				lives = append(lives, probe.Answer{Outcome: probe.Reply, Offset: offset, First: probe.UnknownOffset, RTT: h.rtt})
				addresses = append(addresses, h.addr)
				if adaptive {
					break
				}
			}
		}
		targets, err := probe.SpaceOf(asked...)
		if err != nil {
			w.t.Fatal(err)
		}
		for k := range lives {
			target, _ := targets.Index(addresses[k])
			lives[k].Target = int32(target)
		}
		r.End = r.Start.Add(int64(len(asked)) * 3_000)
		r.Passes = []probe.Pass{{Protocol: probe.ICMP, Targets: targets, Answers: lives}}
		sortAnswers(&r.Passes[0])
		lines = append(lines, r)
	}
	return lines
}

// Where rounds ask some hosts and then others, the level falls as slowly as all are asked: an outage is no less abrupt for that, and
// chance no outage.
func TestHostsInTurn(t *testing.T) {
	for name, test := range map[string]struct {
		adaptive bool
		down     func(at probe.Instant, a netip.Addr, p probe.Protocol) bool
		want     outage.State
		n        int // outages
	}{
		"eight a round, nothing":          {false, nil, 0, 0},
		"eight a round, all":              {false, between(hours(160), hours(166)), outage.Total, 1},
		"eight a round, three fifths":     {false, threeFifths, outage.Partial, 1},
		"up to 15 until one, nothing":     {true, nil, 0, 0},
		"up to 15 until one, all for 6 h": {true, between(hours(160), hours(166)), outage.Total, 1},
	} {
		right, seeds := 0, cases(6, 40)
		for seed := range uint64(seeds) {
			w := newWorld(t, seed, probe.ICMP)
			for i := range 60 {
				w.hosts = append(w.hosts, simHost{addr: w.space.Addr(3 + 4*i), by: map[probe.Protocol]float64{probe.ICMP: 0.2 + 0.75*w.rng.Float64()}, rtt: 200_000})
			}
			w.down = test.down
			each := 8
			if test.adaptive {
				each = 15
			}
			h, err := outage.Replay(outage.Config{}, &source{w.inTurn(240*60/11, each, test.adaptive)})
			if err != nil {
				t.Fatal(err)
			}
			list := h.Outages(false)
			if len(list) == test.n && (test.n == 0 || list[0].Kind == test.want && list[0].Start.At > hours(157) && list[0].Start.At < hours(163) && list[0].End != nil) {
				right++
			} else {
				t.Logf("%s, seed %d: %q", name, seed, ofSpace(h))
			}
		}
		t.Logf("%s: %d of %d", name, right, seeds)
		if 10*right < 9*seeds {
			t.Errorf("%s: %d of %d, want nine in ten", name, right, seeds)
		}
	}
}

func threeFifths(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
	return during(at, 160, 176) && int(a.As4()[3])/4%5 < 3
}

package outage_test

import (
	"net/netip"
	"slices"
	"testing"

	"brownout/probe"
	"brownout/probe/outage"
)

// TestSpaceThatGrowsBeyondABlock begins with one /24, which is no block of its own, and adds others: then it is one, and once
// only, however often the space changes; its hosts are in it; and an outage of it begins when it does.
func TestSpaceThatGrowsBeyondABlock(t *testing.T) {
	w := newWorld(t, 1).like2014()
	d, h := outage.New(outage.Config{}), &outage.History{}
	n := 0
	sweep := func(rounds int, prefixes, less []string) {
		t.Helper()
		space, err := probe.ParseSpace(prefixes, less)
		if err != nil {
			t.Fatal(err)
		}
		w.space = space
		for i := range w.aims {
			w.aims[i].Targets = space
		}
		for range rounds {
			start := simStart.Add(int64(n) * w.every.Milliseconds())
			h.Add(d.Advance(start))
			if err := d.Put(w.round(probe.Full, start, w.every, w.aims)); err != nil {
				t.Fatal(err)
			}
			n++
		}
		h.Add(d.Advance(simStart.Add(int64(n) * w.every.Milliseconds())))
	}
	sweep(20, []string{"198.18.0.0/24"}, nil)
	sweep(20, []string{"198.18.0.0/24", "198.18.2.0/24"}, nil)
	sweep(20, []string{"198.18.0.0/24", "198.18.2.0/24"}, []string{"198.18.0.255"})
	from := simStart.Add(int64(n) * w.every.Milliseconds())
	w.down = between(from, outage.EndOfTime, "198.18.0.0/24")
	sweep(6, []string{"198.18.0.0/24", "198.18.2.0/24"}, []string{"198.18.0.255"})
	var names []string
	for _, b := range d.Blocks() {
		if slices.Contains(names, b.Block) {
			t.Errorf("%s stands twice among the blocks", b.Block)
		}
		names = append(names, b.Block)
		if p, err := netip.ParsePrefix(b.Block); err == nil && b.Usual < 3 {
			t.Errorf("%v has %d usual addresses", p, b.Usual)
		}
	}
	found := false
	for _, o := range h.Outages(true) {
		found = found || o.Block == "198.18.0.0/24"
		if o.Start.Earliest > o.Start.At || o.Start.At > o.Start.Latest || o.Start.Earliest < from.Add(-660_000) {
			t.Errorf("%s starts at [%v %v %v]; its block went dark at %v", o.ID, o.Start.Earliest, o.Start.At, o.Start.Latest, from)
		}
	}
	if !found {
		t.Error("the block that went dark has no outage")
	}
}

// A partial outage soon after the space grew is found, and ends when it does: who was not asked before was not silent then, and has not
// moved in from elsewhere, be it in a /24 of his own or beside those who were.
func TestPartialsOfASpaceThatGrew(t *testing.T) {
	for name, c := range map[string]struct {
		before, after string
		third, first  int // of those who are added
	}{
		"by a block":     {"198.18.0.0/24", "198.18.0.0/23", 1, 0},
		"within a block": {"198.18.0.0/25", "198.18.0.0/24", 0, 128},
	} {
		t.Run(name, func(t *testing.T) {
			found, seeds := 0, cases(12, 60)
			for seed := range uint64(seeds) {
				w := few(t, seed, 24, 0.98)
				for i := range 24 {
					w.hosts = append(w.hosts, simHost{addr: w.space.Addr(256*c.third + c.first + 5*i), rtt: 300_000, by: map[probe.Protocol]float64{probe.ICMP: 0.98}})
				}
				one, err := probe.ParseSpace([]string{c.before}, nil)
				if err != nil {
					t.Fatal(err)
				}
				w.space, w.aims = one, []probe.Aim{{Protocol: probe.ICMP, Targets: one}}
				grown := simStart.Add(2 * day)
				w.retarget(grown, []probe.Protocol{probe.ICMP}, c.after)
				from := grown.Add(8*hour + int64(seed)*277_000)
				to := from.Add(5 * hour)
				w.down = odd(from, to)
				for _, o := range w.replayed(390, w.every, unseeded).Outages(false) {
					if o.End != nil && inside(o.Start, from) && inside(*o.End, to) {
						found++
					}
				}
			}
			nineInTen(t, found, seeds)
		})
	}
}

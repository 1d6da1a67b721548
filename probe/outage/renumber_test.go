package outage_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"brownout/probe"
	"brownout/probe/outage"
)

// A pool whose customers all get another address at two every night, among those that others had before, is up: as many answer as
// ever.
func TestNightlyRenumberingInAPool(t *testing.T) {
	for seed := range uint64(cases(2, 20)) {
		w := newWorld(t, seed, probe.ICMP).people(480, 20, 1, 0.97)
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			h := fnv.New32a()
			h.Write(append(a.AsSlice(), byte((at-hours(2))/(24*3600_000)), byte(seed)))
			return h.Sum32()>>8%4 != 0
		}
		if h, _ := w.run(10 * 24 * 60 / 11); len(h.Outages(true)) > 0 {
			t.Errorf("seed %d: %v", seed, ofSpace(h))
		}
	}
}

// A pool whose addresses are dealt anew in a total outage every night: each is over when as many live as before it, though addresses that
// were given up nights ago are given out again.
func TestNightlyTotalsOfAPool(t *testing.T) {
	const days, first = 12, 3
	for seed := range uint64(cases(2, 16)) {
		w := newWorld(t, seed, probe.ICMP).people(480, 20, 1, 0.97)
		rng := rand.New(rand.NewPCG(seed, 77))
		deals := make([]map[netip.Addr]bool, days+1)
		for i := range deals {
			deals[i] = map[netip.Addr]bool{}
			for _, k := range rng.Perm(480)[:120*(1+seed%3)] {
				deals[i][w.hosts[k].addr] = true
			}
		}
		var want []string
		for n := first; n < days; n++ {
			want = append(want, fmt.Sprintf("total %d-%d", 24*n+2, 24*n+6))
		}
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			n := (at - hours(2)) / day
			return n >= first && at < hours(float64(24*n+6)) || !deals[n][a]
		}
		h, _ := w.run(days * 24 * 60 / 11)
		var got []string
		for _, o := range ofSpace(h) {
			got = append(got, strings.TrimSuffix(o, " moved"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("seed %d: %s", seed, diff)
		}
	}
}

// A /24 whose hosts all get addresses in another is no outage of days, though rounds that tell no times say that it is dark before they say
// that the rest lives.
func TestABlockThatMovesInBareRounds(t *testing.T) {
	for seed := range uint64(cases(6, 40)) {
		w := few(t, seed, 28, 0.98)
		w.beside(2, 28, 0.98)
		w.beside(3, 24, 0.98)
		moved := simStart.Add(3*day + int64(seed)*77_000)
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			return a.As4()[2] == 0 && at >= moved || a.As4()[2] == 2 && at < moved.Add(12*minute)
		}
		for _, o := range w.replayed(600, w.every, bare).Outages(true) {
			if o.End == nil || int64(o.End.At-moved) > hour || len(o.Revisions) == 0 || o.Revisions[0].Finding != outage.Moved {
				t.Errorf("seed %d: %s is %v until %v, %v", seed, o.ID, o.Kind, o.End, o.Revisions)
			}
		}
	}
}

// Where hosts of one /24 get addresses in another, a third that is dark at that time has not moved, though none of its hosts usually answers.
func TestADarkBlockThatDidNotMove(t *testing.T) {
	for seed := range uint64(cases(8, 40)) {
		w := few(t, seed, 24, 0.98)
		w.beside(2, 5, 0.98)
		for i := range 40 {
			w.hosts = append(w.hosts, simHost{addr: w.space.Addr(256 + 6*i), rtt: 300_000, by: map[probe.Protocol]float64{probe.ICMP: 0.4}})
		}
		from := simStart.Add(day + int64(seed)*77_000)
		to := from.Add(5 * hour)
		moved := from.Add(int64(seed%4) * 5 * minute)
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			switch b := a.As4(); b[2] {
			case 0:
				return b[3] < 28 && at >= moved
			case 1:
				return at >= from && at < to
			}
			return at < moved
		}
		for _, o := range w.replayed(180, w.every, unseeded).Outages(true) {
			if o.Block == "198.18.1.0/24" && o.End != nil && o.End.Latest < to {
				t.Errorf("seed %d: %s ends at %v, want %v; %v", seed, o.ID, o.End.At, to, o.Revisions)
			}
		}
	}
}

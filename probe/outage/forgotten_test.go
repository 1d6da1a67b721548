package outage_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// unsentFrom makes rounds that begin in a time fail to send anything.
func (w *world) unsentFrom(from, to probe.Instant) {
	w.amend = func(r *probe.Round) {
		for i := range r.Passes {
			if p := &r.Passes[i]; r.Start >= from && r.Start < to {
				p.Answers = nil
				for k := range int32(p.Targets.Len()) {
					p.Unsent = append(p.Unsent, k)
				}
			}
		}
	}
}

// What we failed to send says nothing of any block, however many there are.
func TestUnsentOfManyBlocks(t *testing.T) {
	space, err := probe.ParseSpace([]string{"198.18.0.0/16"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, rng: rand.New(rand.NewPCG(1, 1)), space: space, every: 11 * time.Minute}
	w.aims = []probe.Aim{{Protocol: probe.ICMP, Targets: space}}
	for i := 0; i < space.Len(); i += 64 {
		w.hosts = append(w.hosts, simHost{addr: space.Addr(i + 5), rtt: 200_000, by: map[probe.Protocol]float64{probe.ICMP: 0.99}})
	}
	round := w.every.Milliseconds()
	w.unsentFrom(simStart.Add(20*round), outage.EndOfTime)
	d := outage.New(outage.Config{})
	for i := range int64(24) {
		start := simStart.Add(i * round)
		d.Advance(start)
		if err := d.Put(w.round(probe.Full, start, w.every, w.aims)); err != nil {
			t.Fatal(err)
		}
	}
	f := d.Advance(simStart.Add(24*round + 10_000))
	for _, b := range d.Blocks() {
		if b.State != outage.Unknown || b.Since != simStart.Add(20*round) {
			t.Fatalf("%s is %v since %v", b.Block, b.State, b.Since)
		}
	}
	for _, s := range f.Summaries {
		if s.State != outage.Unknown {
			t.Fatalf("the summary of %s says %v", s.Block, s.State)
		}
	}
}

// A time in which we could not send for days is unknown within a total outage, and stays so.
func TestLongFaultInTotal(t *testing.T) {
	for _, fault := range []int64{40, 200} {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			w := newWorld(t, 1).like2014()
			round := w.every.Milliseconds()
			from := simStart.Add(200 * round)
			w.down = between(from, from.Add((40+fault)*round))
			w.unsentFrom(from.Add(20*round), from.Add((20+fault)*round))
			h := w.replayed(int(300+fault), w.every, whole)
			o := only(t, h, outage.Total)
			if got := o.Length(outage.Total, h.Until); got > 42*round {
				t.Errorf("total for %v, want the 40 rounds that saw it", time.Duration(got)*time.Millisecond)
			}
			dark := int64(0)
			for _, s := range outage.Timeline(h.Changes, h.Until) {
				if s.Block == outage.SpaceBlock && s.State == outage.Total {
					dark += int64(s.End - s.Start)
				}
			}
			if dark > 42*round {
				t.Errorf("the states say total for %v", time.Duration(dark)*time.Millisecond)
			}
		})
	}
}

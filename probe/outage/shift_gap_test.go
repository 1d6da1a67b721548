package outage_test

import (
	"net/netip"
	"slices"
	"testing"

	"brownout/probe"
	"brownout/probe/outage"
)

// Five weeks without a round are not five weeks of a partial outage: it is not how the block is now for being there still.
func TestGapIsNoShift(t *testing.T) {
	const gap = 35 * 24 * hour
	w := newWorld(t, 1, probe.ICMP).people(50, 5, 6, 0.98)
	w.confirm = false
	w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
		i, _ := w.space.Index(a)
		return i%12 == 5 && during(at, 36, 46)
	}
	_, lines := w.run(60 * 60 / 11)
	lines = slices.DeleteFunc(lines, func(r *probe.Round) bool { return during(r.Start, 39, 40) })
	for _, r := range lines {
		if r.Start >= hours(40) {
			r.Start, r.End = r.Start.Add(gap), r.End.Add(gap)
		}
	}
	h, err := outage.Replay(outage.Config{}, &source{lines})
	if err != nil {
		t.Fatal(err)
	}
	list := h.Outages(false)
	if len(list) != 1 || len(list[0].Revisions) != 0 || list[0].End == nil || !within(list[0].End, hours(46).Add(gap)) {
		t.Fatalf("%+v; want one outage, that ends when the hosts come back", list)
	}
}

func within(in *outage.Interval, t probe.Instant) bool { return in.Earliest <= t && t <= in.Latest }

// Half that fell silent while nobody looked, for hours or a day, is a partial outage, as all would be a total one.
func TestHalfFallsSilentInAGap(t *testing.T) {
	for seed := range uint64(cases(2, 40)) {
		for _, gap := range []int64{5, 24} {
			w := newWorld(t, seed, probe.ICMP).people(50, 5, 6, 0.98)
			w.confirm = false
			silent, back := hours(38), hours(36+float64(gap)+6)
			w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
				i, _ := w.space.Index(a)
				return i%12 == 5 && at >= silent && at < back
			}
			var lines []*probe.Round
			for at := simStart; at < back.Add(3*hour); at = at.Add(w.every.Milliseconds()) {
				if r := w.round(probe.Full, at, w.every, w.aims); r.End <= hours(36) || at >= hours(36+float64(gap)) {
					lines = append(lines, r)
				}
			}
			h, err := outage.Replay(outage.Config{}, &source{lines})
			if err != nil {
				t.Fatal(err)
			}
			list := h.Outages(false)
			if len(list) != 1 || list[0].Kind != outage.Partial || list[0].End == nil || !within(&list[0].Start, silent) || !within(list[0].End, back) {
				t.Errorf("seed %d, a gap of %d h: %+v; want one from %v to %v", seed, gap, list, silent, back)
			}
		}
	}
}

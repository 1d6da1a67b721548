package outage_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// A round may be told by one line a protocol: nothing of it is lost, and it is one round.
func TestLineAProtocol(t *testing.T) {
	for name, told := range map[string]func(*probe.Round) *probe.Round{"seeded": whole, "unseeded": unseeded} {
		for seed := range uint64(cases(1, 10)) {
			w := newWorld(t, seed).like2014()
			from := simStart.Add(2*day + int64(seed)*77_000)
			w.loss = func(at probe.Instant, _ netip.Addr) float64 {
				if at >= from && at < from.Add(4*3600_000) {
					return 0.6
				}
				return 0.01
			}
			var lines []*probe.Round
			for i := range int64(320) {
				r := told(w.round(probe.Full, simStart.Add(i*w.every.Milliseconds()), w.every, w.aims))
				for k := range r.Passes {
					c := *r
					c.Passes = r.Passes[k : k+1]
					lines = append(lines, &c)
				}
			}
			h, err := outage.Replay(outage.Config{}, &source{lines})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range outage.Timeline(h.Changes, h.Until) {
				if took := int64(s.End - s.Start); s.State == outage.Learning && s.Block == outage.SpaceBlock && took < 12*w.every.Milliseconds() {
					t.Errorf("%s, seed %d: it learned for %v, want 12 rounds", name, seed, time.Duration(took)*time.Millisecond)
				}
			}
			if list := h.Outages(false); len(list) != 1 || list[0].Kind != outage.Partial {
				t.Errorf("%s, seed %d: want one partial outage, got %d", name, seed, len(list))
			}
		}
	}
}

// In which order a file has the lines of one start changes nothing.
func TestOrderOfLinesOfOneStart(t *testing.T) {
	for seed := range uint64(cases(2, 10)) {
		w := newWorld(t, seed).like2014()
		w.loss = func(at probe.Instant, _ netip.Addr) float64 {
			if at >= hours(36) && at < hours(40) {
				return 0.6
			}
			return 0.01
		}
		var lines, turned []*probe.Round
		for i := range int64(320) {
			r := unseeded(w.round(probe.Full, simStart.Add(i*w.every.Milliseconds()), w.every, w.aims))
			for k := range r.Passes {
				c, last := *r, *r
				c.Passes, last.Passes = r.Passes[k:k+1], r.Passes[len(r.Passes)-1-k:len(r.Passes)-k]
				lines, turned = append(lines, &c), append(turned, &last)
			}
		}
		a, err := outage.Replay(outage.Config{}, &source{lines})
		if err != nil {
			t.Fatal(err)
		}
		b, err := outage.Replay(outage.Config{}, &source{turned})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(encode(t, a), encode(t, b)) {
			t.Errorf("seed %d: the outages differ", seed)
		}
	}
}

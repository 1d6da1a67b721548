package outage_test

import (
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// aPrefix tells a round in a line a /24, and those alone in which somebody answered, by the addresses that did.
func aPrefix(t *testing.T, r *probe.Round) (lines []*probe.Round) {
	for _, g := range r.Space.Groups(24) {
		c := *bare(r)
		targets, err := probe.SpaceOf(g.Prefix)
		if err != nil {
			t.Fatal(err)
		}
		pass := probe.Pass{Protocol: r.Passes[0].Protocol, Targets: targets}
		for _, a := range c.Passes[0].Answers {
			if i := int(a.Target); i >= g.From && i < g.To {
				a.Target -= int32(g.From)
				pass.Answers = append(pass.Answers, a)
			}
		}
		if c.Passes = []probe.Pass{pass}; len(pass.Answers) > 0 {
			lines = append(lines, &c)
		}
	}
	return lines
}

// Where a record has no lines of prefixes in which nobody answered, a block of that many rounds are silent is not up, nor is the space of
// which it is most: nobody knows. The others are as ever, and so is all once the block answers again.
func TestPrefixesWithoutAnswersAreLeftOut(t *testing.T) {
	for _, every := range []time.Duration{11 * time.Minute, time.Hour} {
		w := newWorld(t, 4, probe.ICMP)
		w.every = every
		w.beside(0, 20, 0.8)
		w.beside(2, 10, 0.8)
		from, to := simStart.Add(3*day+20*minute), simStart.Add(5*day+20*minute)
		w.down = between(from, to, "198.18.0.0/24")
		var lines []*probe.Round
		for i := range int64(7 * 24 * time.Hour / every) {
			lines = append(lines, aPrefix(t, w.round(probe.Full, simStart.Add(i*every.Milliseconds()), 5*time.Minute, w.aims))...)
		}
		h, err := outage.Replay(outage.Config{}, &source{lines})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range outage.Timeline(h.Changes, h.Until) {
			in := min(s.End, to) - max(s.Start, from)
			switch {
			case s.State == outage.Learning || s.Block == "198.18.1.0/24" || s.Block == "198.18.3.0/24":
			case s.Block == "198.18.2.0/24" && s.State != outage.Up,
				s.Block != "198.18.2.0/24" && s.State == outage.Up && int64(in) > every.Milliseconds(),
				s.State != outage.Up && int64(s.End-s.Start)-max(int64(in), 0) > 2*every.Milliseconds():
				t.Errorf("every %v: %s is %v from %v to %v, silent from %v to %v", every, s.Block, s.State, s.Start, s.End, from, to)
			}
		}
	}
}

// Rounds that ask one prefix after the other leave no gaps, nor does one in which others are asked twice.
func TestPrefixesInTurnLeaveNoGaps(t *testing.T) {
	w := newWorld(t, 5, probe.ICMP)
	for i := range 4 {
		w.beside(i, 12, 0.95)
	}
	var lines []*probe.Round
	for i := range int64(1200) {
		k := i % 4
		if i%100 == 50 {
			k = (k + 1) % 4
		}
		targets := w.third(int(k))
		lines = append(lines, bare(w.round(probe.Full, simStart.Add(i*w.every.Milliseconds()), w.every, []probe.Aim{{Protocol: probe.ICMP, Targets: targets}})))
	}
	h, err := outage.Replay(outage.Config{}, &source{lines})
	if err != nil {
		t.Fatal(err)
	}
	if got := unknown(h); got > 0 {
		t.Errorf("unknown for %d min", got/minute)
	}
}

// Rounds that ask a prefix each, drawn by lot, leave hardly a gap: some are not drawn for long.
func TestPrefixesByLotLeaveNoGaps(t *testing.T) {
	for _, every := range []time.Duration{time.Minute, 11 * time.Minute} {
		w := newWorld(t, 5, probe.ICMP)
		for i := range 4 {
			w.beside(i, 12, 0.95)
		}
		var lines []*probe.Round
		for i := range int64(2400) {
			targets := w.third(w.rng.IntN(4))
			lines = append(lines, bare(w.round(probe.Full, simStart.Add(i*every.Milliseconds()), 30*time.Second, []probe.Aim{{Protocol: probe.ICMP, Targets: targets}})))
		}
		h, err := outage.Replay(outage.Config{}, &source{lines})
		if err != nil {
			t.Fatal(err)
		}
		if got, all := unknown(h), 2400*every.Milliseconds(); 50*got > all {
			t.Errorf("every %v: unknown for %d min of %d", every, got/minute, all/minute)
		}
	}
}

// Where a quarter of the space is not asked any more, the outages of the rest end when they do.
func TestOutagesBesideAnUnaskedPrefix(t *testing.T) {
	for seed := range uint64(cases(4, 12)) {
		w := newWorld(t, seed, probe.ICMP)
		for i := range 4 {
			w.beside(i, 10, 0.95)
		}
		from, to := simStart.Add(95*hour), simStart.Add(98*hour)
		w.down = between(from, to, "198.18.1.0/24")
		var lines []*probe.Round
		for i := range int64(131 * 5) {
			for k := range 4 {
				targets := w.third(k)
				if k != 2 || i < 150 {
					lines = append(lines, bare(w.round(probe.Full, simStart.Add(i*w.every.Milliseconds()), time.Minute, []probe.Aim{{Protocol: probe.ICMP, Targets: targets}})))
				}
			}
		}
		h, err := outage.Replay(outage.Config{}, &source{lines})
		if err != nil {
			t.Fatal(err)
		}
		list := h.Outages(false)
		if len(list) != 1 || list[0].End == nil || !inside(list[0].Start, from) || !inside(*list[0].End, to) || apart(list[0].End.At, to) > 11*minute {
			t.Errorf("seed %d: the outages %v, want one from %v to %v", seed, list, from, to)
		}
	}
}

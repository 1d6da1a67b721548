package outage_test

import (
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// few is a space of so many hosts of an availability in one /24, asked by ping alone.
func few(t *testing.T, seed uint64, hosts int, availability float64) *world {
	w := newWorld(t, seed, probe.ICMP)
	for i := range hosts {
		w.hosts = append(w.hosts, simHost{addr: w.space.Addr(3 + 5*i), rtt: 300_000, by: map[probe.Protocol]float64{probe.ICMP: availability}})
	}
	return w
}

// replayed is what a replay finds of n rounds, each swept over a time, as somebody tells them.
func (w *world) replayed(n int, span time.Duration, told func(*probe.Round) *probe.Round) *outage.History {
	w.t.Helper()
	var lines []*probe.Round
	for i := range int64(n) {
		lines = append(lines, told(w.round(probe.Full, simStart.Add(i*w.every.Milliseconds()), span, w.aims)))
	}
	h, err := outage.Replay(outage.Config{}, &source{lines})
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// Totals of three rounds and more of four to six hosts are found though nobody tells when the silent were asked: the silence of the
// round in which it began, of which nobody knows whether it came before the last life, is made up for by the next.
func TestTotalsOfFewInUntoldRounds(t *testing.T) {
	found, seeds := 0, cases(24, 100)
	for seed := range uint64(seeds) {
		w := few(t, seed, 4+int(seed%3), 0.998)
		from := simStart.Add(4*day + int64(seed)*77_000)
		to := from.Add(int64(3+seed%4) * w.every.Milliseconds())
		w.down = between(from, to)
		for _, o := range w.replayed(600, w.every, unseeded).Outages(false) {
			if o.Kind != outage.Total || o.End == nil || o.Start.Latest < from || o.End.Earliest > to {
				t.Errorf("seed %d: %v from %v to %v, want a total from %v to %v", seed, o.Kind, o.Start, o.End, from, to)
				continue
			}
			found++
		}
	}
	t.Logf("%d of %d found", found, seeds)
	if 10*found < 9*seeds {
		t.Error("want nine in ten")
	}
}

// Hosts that answer every second time, because something limits them, make an outage seldom, and none that does not end.
func TestHalfAnsweringHosts(t *testing.T) {
	var sum int64
	seeds := cases(16, 60)
	for seed := range uint64(seeds) {
		w := few(t, seed, 40, 0.5)
		for _, o := range w.replayed(5*24*60/11, w.every, unseeded).Outages(false) {
			if o.End == nil {
				t.Errorf("seed %d: %v since %v", seed, o.Kind, o.Start)
				continue
			}
			sum += int64(o.End.At - o.Start.At)
		}
	}
	t.Logf("%d minutes of outages in %d quiet days", sum/minute, 5*seeds)
	if sum > int64(seeds)*30*minute {
		t.Error("want half an hour in five days at most")
	}
}

// While one round after the other is not to be trusted, and until the next that is, nothing is known, in the pauses as well.
func TestBlindRoundsInARow(t *testing.T) {
	for name, every := range map[string]time.Duration{"hourly": time.Hour, "every 11 min": 11 * time.Minute} {
		w := newWorld(t, 5).like2014()
		w.every = every
		first, next := simStart.Add(60*every.Milliseconds()), simStart.Add(66*every.Milliseconds())
		w.amend = func(r *probe.Round) { r.VantageOK = r.Start < first || r.Start >= next }
		h := w.replayed(80, time.Minute, func(r *probe.Round) *probe.Round { return r })
		for _, s := range outage.Timeline(h.Changes, h.Until) {
			if within := s.End > first && s.Start < next; s.Block == outage.SpaceBlock && s.State != outage.Learning && within != (s.State == outage.Unknown) {
				t.Errorf("%s: %v from %v to %v, blind from %v to %v", name, s.State, s.Start, s.End, first, next)
			}
		}
	}
}

// Another vantage has other round-trip times: that they are shorter is no sign of a middlebox.
func TestAnotherVantage(t *testing.T) {
	w := newWorld(t, 6).like2014()
	moved := simStart.Add(3 * day)
	w.amend = func(r *probe.Round) {
		if r.Start < moved {
			return
		}
		r.Vantage = "seoul1"
		for i := range r.Passes {
			for k := range r.Passes[i].Answers {
				r.Passes[i].Answers[k].RTT = 40_000
			}
		}
	}
	h := w.replayed(700, w.every, func(r *probe.Round) *probe.Round { return r })
	if list := h.Outages(true); len(list) > 0 {
		t.Errorf("got\n%s", encode(t, h))
	}
	for _, s := range outage.Timeline(h.Changes, h.Until) {
		if s.State == outage.Unknown {
			t.Errorf("%s: unknown from %v to %v", s.Block, s.Start, s.End)
		}
	}
}

// The likeliest instants of a total stand where it began and ended, neither early nor late on the whole, whatever somebody tells
// of when he asked.
func TestInstantsOfUntoldRounds(t *testing.T) {
	as := func(r *probe.Round) *probe.Round { return r }
	for name, c := range map[string]struct {
		told func(*probe.Round) *probe.Round
		most int64 // off on average, of a round of 660 s, in seconds
	}{"all": {as, 20}, "who and when": {unseeded, 40}, "who": {bare, 100}} {
		var early, late int64
		seeds := int64(cases(30, 100))
		for seed := range seeds {
			w := few(t, uint64(seed), 20, 0.998)
			from := simStart.Add(18*w.every.Milliseconds() + seed*w.every.Milliseconds()/seeds)
			to := from.Add(6*w.every.Milliseconds() + (seed*7%seeds)*w.every.Milliseconds()/seeds)
			w.down = between(from, to)
			o := only(t, w.replayed(40, w.every, c.told), outage.Total)
			holds(t, "start", o.Start, from)
			holds(t, "end", *o.End, to)
			early += int64(o.Start.At - from)
			late += int64(o.End.At - to)
		}
		early, late = early/seeds/1000, late/seeds/1000
		t.Logf("told %s: off by %d and %d s", name, early, late)
		if max(early, -early, late, -late) > c.most {
			t.Errorf("told %s: want %d s at most", name, c.most)
		}
	}
}

package outage_test

import (
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// odd is every second host, of some hours.
func odd(from, to probe.Instant) func(probe.Instant, netip.Addr, probe.Protocol) bool {
	return func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
		return at >= from && at < to && a.As4()[3]%2 == 1
	}
}

// The end of a partial outage is held where rounds an hour apart do not tell when the silent were asked: that one host came
// back in its last round does not say that all may have, for hardly any of the others can have been asked before it.
func TestEndsOfPartialsInUntoldSnapshots(t *testing.T) {
	held, seeds := 0, cases(16, 100)
	for seed := range uint64(seeds) {
		w := few(t, seed, 40, 0.99)
		w.beside(1, 40, 0.98)
		w.every = time.Hour
		from := simStart.Add(4*day + int64(seed%6)*hour + 30*minute)
		to := from.Add(8 * hour)
		all, first := odd(from, to), w.hosts[seed%40].addr
		w.down = func(at probe.Instant, a netip.Addr, p probe.Protocol) bool {
			return all(at, a, p) && (a != first || at < to.Add(-45*minute))
		}
		for _, o := range w.replayed(120, 10*time.Minute, unseeded).Outages(false) {
			if o.End != nil && inside(o.Start, from) && inside(*o.End, to) {
				held++
			}
		}
	}
	nineInTen(t, held, seeds)
}

// Where hosts were gone throughout what looked at first as if all lost, it ends when they are back, and not when the others had shown
// that they live.
func TestEndsOfLossThatWasHostsGone(t *testing.T) {
	held, seeds := 0, cases(16, 100)
	for seed := range uint64(seeds) {
		w := few(t, seed, 24, 0.98)
		w.beside(1, 16, 0.7)
		from := simStart.Add(2*day + int64(seed)*77_000)
		to := from.Add(3 * hour)
		w.down = odd(from, to)
		var lines []*probe.Round
		for i := range int64(290) {
			for k, vantage := range []string{"w", "c"} {
				r := unseeded(w.round(probe.Full, simStart.Add(i*w.every.Milliseconds()+int64(k)*137_000), 10*time.Minute, w.aims))
				r.Vantage = vantage
				lines = append(lines, r)
			}
		}
		h, err := outage.Replay(outage.Config{}, &source{lines})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range h.Outages(false) {
			if o.End != nil && inside(o.Start, from) && inside(*o.End, to) {
				held++
			}
		}
	}
	nineInTen(t, held, seeds)
}

// Where the blocks of a dark space come back one after the other, it is partial until the last of them is back.
func TestEndsOfBlocksOneByOne(t *testing.T) {
	held, seeds := 0, cases(16, 60)
	for seed := range uint64(seeds) {
		w := few(t, seed, 20, 0.98)
		for third := 1; third < 4; third++ {
			w.beside(third, 20, 0.98)
		}
		from := simStart.Add(2*day + int64(seed)*77_000)
		to := from.Add(5 * hour)
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			return at >= from && at < to.Add(int64(a.As4()[2])*12*minute)
		}
		for _, o := range w.replayed(320, w.every, whole).Outages(false) {
			if o.End != nil && inside(o.Start, from) && inside(*o.End, to.Add(36*minute)) {
				held++
			}
		}
	}
	nineInTen(t, held, seeds)
}

// Of hosts that were gone throughout none lived meanwhile: those too who were asked when it was certain already that others had left. One
// of those who stayed, that is asked after them in every sweep and missed a single probe, is not the first who came back.
func TestEndsOfPartialsInSweepsInOrder(t *testing.T) {
	held, seeds := 0, cases(24, 100)
	for seed := range uint64(seeds) {
		w := few(t, seed, 36, 0.96)
		w.every = 5 * time.Minute
		from := simStart.Add(day + int64(seed%24)*5*minute + 150_000)
		to := from.Add(2 * hour)
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			return at >= from && at < to && a.As4()[3] < 60
		}
		for _, o := range w.replayed(350, 20*time.Second, inOrder).Outages(false) {
			if o.End != nil && inside(o.Start, from) && inside(*o.End, to) {
				held++
			}
		}
	}
	nineInTen(t, held, seeds)
}

// inOrder is a round of ours as if it had asked in the order of the addresses, and told when.
func inOrder(r *probe.Round) *probe.Round {
	c := *bare(r)
	p := &c.Passes[0]
	when := func(target int32) int32 { return int32(c.Span.Milliseconds() * int64(target) / int64(p.Targets.Len())) }
	for k := range p.Answers {
		p.Answers[k].Offset = when(p.Answers[k].Target)
	}
	for target := range p.Silent() {
		p.SilentMS = append(p.SilentMS, when(target))
	}
	return &c
}

// Loss that every probe suffers for a few rounds ends when it does, and not when those are back who were silent in its first round.
func TestEndsOfShortLoss(t *testing.T) {
	held, found := 0, 0
	for seed := range uint64(cases(24, 100)) {
		w := few(t, seed, 40, 0.985)
		from := simStart.Add(day + int64(seed)*77_000)
		to := from.Add(45 * minute)
		w.loss = lossy(from, to, 0.4)
		for _, o := range w.replayed(160, w.every, inOrder).Outages(false) {
			if found++; o.End != nil && apart(o.End.At, to) < 20*minute {
				held++
			}
		}
	}
	nineInTen(t, held, found)
}

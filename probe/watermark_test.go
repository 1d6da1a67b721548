package probe

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// sighting is what the detector takes from a round about one service.
type sighting struct {
	target int32
	life   bool
}

// sightings lists when everything in a round is seen, in milliseconds.
func sightings(r *Round) map[sighting]Instant {
	seen := map[sighting]Instant{}
	for i := range r.Passes {
		p, k := &r.Passes[i], 0
		answers := map[int32]*Answer{}
		for j := range p.Answers {
			answers[p.Answers[j].Target] = &p.Answers[j]
		}
		failed := map[int32]bool{}
		for _, target := range p.Unsent {
			failed[target] = true
		}
		for target := range int32(p.Targets.Len()) {
			a := answers[target]
			first := UnknownOffset
			switch {
			case failed[target]:
				continue
			case a == nil && len(p.SilentMS) > 0:
				first = p.SilentMS[k]
				k++
			case a == nil:
				first = int32(r.Plan().Offset(i, int(target)).Milliseconds())
			case a.Outcome == Unreachable:
				first = a.Offset
			case a.Outcome == Late:
				first = a.Offset
				if a.First != UnknownOffset {
					first = a.First
				}
			}
			if first != UnknownOffset {
				seen[sighting{target, false}] = r.Start.Add(int64(first) + r.TimeoutMS())
			}
			if a != nil && a.Outcome.Life() {
				seen[sighting{target, true}] = r.Start.Add(int64(a.Offset) + r.RTTMS(a))
			}
		}
	}
	return seen
}

// before a watermark already given out, or something already seen before one changes or goes.
func watch(w *Sweep, every time.Duration) (*Round, error) {
	var mark Instant
	known := map[sighting]Instant{}
	for done := false; !done; {
		select {
		case <-w.Done():
			done = true
		case <-time.After(every):
		}
		r, decided := w.Round()
		if err := checkRound(r); err != nil {
			return nil, err
		}
		if decided < mark {
			return nil, fmt.Errorf("the watermark goes back from %s to %s", mark, decided)
		}
		seen := sightings(r)
		for s, at := range seen {
			if was, ok := known[s]; at <= mark && (!ok || was != at) {
				return nil, fmt.Errorf("%+v is seen at %s, and the watermark was %s before", s, at, mark)
			}
		}
		for s, was := range known {
			if at, ok := seen[s]; was <= mark && (!ok || at != was) {
				return nil, fmt.Errorf("%+v, seen at %s and judged by %s, is now %v", s, was, mark, seen[s])
			}
		}
		mark, known = decided, seen
	}
	r, _ := w.Round()
	return r, nil
}

// fate is a service's script, drawn at random.
type fate struct {
	errs  []error // of the first sends
	after []int   // ms after each attempt's send, of an arrival; -1: none
	kind  []Outcome
}

func drawFate(t *rapid.T) fate {
	var f fate
	for range rapid.IntRange(0, 2).Draw(t, "errors") {
		f.errs = append(f.errs, rapid.SampledFrom([]error{syscall.ENOBUFS, syscall.EPERM, syscall.EAGAIN}).Draw(t, "errno"))
	}
	for range rapid.IntRange(0, 3).Draw(t, "arrivals") {
		f.after = append(f.after, rapid.SampledFrom([]int{-1, 0, 1, 50, 900, 999, 1000, 1001, 1400, 2600, 4999, 5001}).Draw(t, "after"))
		f.kind = append(f.kind, rapid.SampledFrom([]Outcome{Reply, Reply, Reply, Refused, Unreachable, Unsent}).Draw(t, "kind"))
	}
	return f
}

// chaos is a sweep drawn at random, and what its services do.
type chaos struct {
	cfg    SweeperConfig
	order  Order
	fates  []fate
	stall  time.Duration
	every  time.Duration
	cancel time.Duration // 0: never
}

func drawChaos(t *rapid.T) chaos {
	const n = 16
	ms := func(name string, choices ...int) time.Duration {
		return time.Duration(rapid.SampledFrom(choices).Draw(t, name)) * time.Millisecond
	}
	space, _ := ParseSpace([]string{"198.18.0.0/28"}, nil)
	return chaos{
		fates: rapid.SliceOfN(rapid.Custom(drawFate), n, n).Draw(t, "fates"),
		cfg: SweeperConfig{
			Timeout: ms("timeout", 100, 1000), LateWindow: 5 * time.Second,
			Retries:    rapid.IntRange(0, 2).Draw(t, "retries"),
			ExtraPer24: rapid.SampledFrom([]float64{0, 0.5}).Draw(t, "extra"),
		},
		order: Order{
			Kind:  rapid.SampledFrom([]Kind{Full, Core, Confirm}).Draw(t, "kind"),
			Space: space, Aims: []Aim{{ICMP, space}}, Seed: rapid.Uint64().Draw(t, "seed"),
			Span:  ms("span", 0, 1, 300, 4000),
			Usual: func(a netip.Addr, _ Protocol) bool { return lastByte(a)%2 == 0 },
		},
		stall: ms("stall", 0, 0, 300, 900), every: ms("every", 7, 100, 1700), cancel: ms("cancel", 0, 0, 0, 2000),
	}
}

func (c *chaos) script(p Packet, nth int) ([]news, error) {
	f := c.fates[lastByte(p.Target)]
	if nth < len(f.errs) {
		return nil, f.errs[nth]
	}
	var all []news
	for i, ms := range f.after {
		if ms >= 0 {
			all = append(all, news{time.Duration(ms) * time.Millisecond, Arrival{Outcome: f.kind[i], Err: syscall.EMFILE}})
		}
	}
	return all, nil
}

// run sweeps, and checks all that watch checks and that the sweeper counts every service once.
func (c *chaos) run(t *testing.T) error {
	s, wire := openFake(t, c.cfg, c.script)
	defer s.Close()
	wire.stall = c.stall
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if c.cancel > 0 {
		time.AfterFunc(c.cancel, cancel)
	}
	w, err := s.Start(ctx, c.order)
	if err != nil {
		return err
	}
	if _, err = watch(w, c.every); err != nil {
		return err
	}
	total := uint64(0)
	for _, n := range s.Stats().Protocols[ICMP].Outcomes {
		total += n
	}
	if total != uint64(len(c.fates)) {
		return fmt.Errorf("%d outcomes are counted for %d services", total, len(c.fates))
	}
	return nil
}

// TestEveryInterleavingDecidesEachServiceOnce draws spaces whose services answer, fail and repeat themselves at random.
func TestEveryInterleavingDecidesEachServiceOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := drawChaos(rt)
		var err error
		synctest.Test(t, func(t *testing.T) { err = c.run(t) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// TestReplyReadBehindTheWatermarkIsMoved: a packet that lay unread for longer than the margin, while its timeout was
// already judged, comes after all.
func TestReplyReadBehindTheWatermarkIsMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, wire := openFake(t, SweeperConfig{}, silent)
		defer s.Close()
		w := startSweep(t, s, icmpOrder(t, 0, "198.18.0.1"))
		time.Sleep(5 * time.Second)
		_, mark := w.Round()
		wire.sink(Arrival{Ticket: wire.log[0].Ticket, Outcome: Reply, At: wire.log[0].at.Add(20 * time.Millisecond)})
		r := finalRound(t, w)
		a := r.Passes[0].Answers[0]
		if seen := r.Start.Add(int64(a.Offset) + r.RTTMS(&a)); seen <= mark || a.Outcome != Late {
			t.Errorf("%s, seen at %s, the watermark was %s", a.Outcome, seen, mark)
		}
		if got := s.Stats().Moved; got != 1 {
			t.Errorf("%d counted as moved", got)
		}
	})
}

// TestRetryHoldsTheWatermark: while a silent service is asked again, its silence is not judged.
func TestRetryHoldsTheWatermark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, wire := openFake(t, SweeperConfig{Retries: 1}, silent)
		defer s.Close()
		o := icmpOrder(t, time.Millisecond, "198.18.0.1")
		o.Usual = func(netip.Addr, Protocol) bool { return true }
		w := startSweep(t, s, o)
		time.Sleep(5 * time.Second)
		_, mark := w.Round()
		sent := wire.log[0].at
		if want := InstantOf(sent) + 2999; mark != want {
			t.Errorf("the watermark is %s, want %s", mark, want)
		}
		time.Sleep(1500 * time.Millisecond)
		want := InstantOf(time.Now()) - 250
		if _, mark = w.Round(); mark != want {
			t.Errorf("the watermark is %s, want %s", mark, want)
		}
	})
}

// TestScaledClockKeepsTheWire: on a clock a hundred times as fast, timeouts and round trips last a hundred times as long.
func TestScaledClockKeepsTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		began := time.Date(2014, 12, 22, 6, 0, 0, 0, time.UTC)
		script := func(p Packet, _ int) ([]news, error) {
			if lastByte(p.Target)%2 == 1 {
				return nil, nil
			}
			return []news{{2 * time.Millisecond, Arrival{Outcome: Reply}}}, nil
		}
		cfg := SweeperConfig{Clock: NewScaledClock(ctx, began, 100), Timeout: 100 * time.Millisecond}
		s, _ := openFake(t, cfg, script)
		defer s.Close()
		begin := time.Now()
		r, err := watch(startSweep(t, s, icmpOrder(t, 660*time.Second, "198.18.0.0/24")), 50*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if r.Start != InstantOf(began) || r.Scale != 100 || r.TimeoutMS() != 10_000 || len(r.Passes[0].SilentMS) != 128 {
			t.Errorf("starts %s, scale %d, timeout %d ms, %d silent", r.Start, r.Scale, r.TimeoutMS(), len(r.Passes[0].SilentMS))
		}
		if took := time.Since(begin); took > 40*time.Second {
			t.Errorf("660 s on the clock took %s", took)
		}
		for _, a := range r.Passes[0].Answers {
			planned := r.Plan().Offset(0, int(a.Target)).Milliseconds()
			if off := int64(a.Offset) - planned; off < 0 || off > 500 || r.RTTMS(&a) < 200 || r.RTTMS(&a) > 204 {
				t.Errorf("target %d left %d ms late and took %d ms", a.Target, off, r.RTTMS(&a))
			}
		}
		if got := outcomes(r.Passes[0]); got[Reply] != 128 || got[Timeout] != 128 {
			t.Errorf("outcomes %v", got)
		}
	})
}

package probe

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// What was silent and sent by a moment stays; later silence, and later errors that are no sign of life, become unsent. Life
// stays. The round it was made from does not change.
func TestCurtail(t *testing.T) {
	space, err := ParseSpace([]string{"198.18.0.0/29"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const start = Instant(1_419_264_000_000)
	answer := func(target int32, o Outcome, offset int32) Answer {
		return Answer{Target: target, Outcome: o, Offset: offset, First: UnknownOffset}
	}
	whole := func() *Round {
		return &Round{
			Start: start, End: start + 9000, Space: space, Timeout: 3 * time.Second, Scale: 1,
			Passes: []Pass{{
				Protocol: ICMP, Targets: space, Unsent: []int32{5},
				Answers:  []Answer{answer(1, Reply, 1000), answer(2, Unreachable, 3999), answer(4, Unreachable, 4000), answer(7, Reply, 8999)},
				SilentMS: []int32{3999, 8000, 4000}, // of 0, 3 and 6
			}},
		}
	}
	for _, c := range []struct {
		at       Instant
		end      Instant
		unsent   []int32
		answered int
		silent   []int32
	}{
		{start + 9501, start + 9000, []int32{5}, 4, []int32{3999, 8000, 4000}},
		{start + 8001, start + 8001, []int32{5}, 4, []int32{3999, 8000, 4000}},
		{start + 8000, start + 8000, []int32{3, 5}, 4, []int32{3999, 4000}},
		{start + 4000, start + 4000, []int32{3, 4, 5, 6}, 3, []int32{3999}},
		{start - 1, start, []int32{0, 2, 3, 4, 5, 6}, 2, nil},
	} {
		r, full := whole(), whole()
		before := r.Passes
		r.Curtail(c.at)
		p := &r.Passes[0]
		if last := start.Add(8999); r.Last() < last {
			t.Errorf("at %v: nothing is seen after %v", c.at-start, r.Last()-start)
		}
		if r.End != c.end || !slices.Equal(p.Unsent, c.unsent) || len(p.Answers) != c.answered || !slices.Equal(p.SilentMS, c.silent) {
			t.Errorf("at %v: ends at %v, %d answers, unsent %v, silent at %v", c.at-start, r.End-start, len(p.Answers), p.Unsent, p.SilentMS)
		}
		if was, want := &before[0], &full.Passes[0]; !slices.Equal(was.Unsent, want.Unsent) || !slices.Equal(was.Answers, want.Answers) || !slices.Equal(was.SilentMS, want.SilentMS) {
			t.Errorf("at %v: what it was made from changed to %+v", c.at-start, was)
		}
	}
}

// A silence that is told by the plan alone may have been sent up to the tolerance after it.
func TestCurtailByPlan(t *testing.T) {
	space, err := ParseSpace([]string{"198.18.0.0/28"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &Round{
		Start: 1_419_264_000_000, End: 1_419_264_016_000, Span: 16 * time.Second, Seed: 7, Seeded: true, Space: space,
		Timeout: 3 * time.Second, Passes: []Pass{{Protocol: ICMP, Targets: space}},
	}
	plan := r.Plan()
	r.Curtail(r.Start + 8000)
	for target := range int32(space.Len()) {
		sentBy := plan.Offset(0, int(target)).Milliseconds() + PlanTolerance.Milliseconds()
		if lost := slices.Contains(r.Passes[0].Unsent, target); lost != (sentBy >= 8000) {
			t.Errorf("target %d, sent by %d ms: lost is %t", target, sentBy, lost)
		}
	}
	if n := len(r.Passes[0].Unsent); n < 6 || n > 10 {
		t.Errorf("%d of 16 are lost", n)
	}
}

// What waits for company to be sent is not known yet, though it was due before.
func TestKnownIsBeforeWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := openFake(t, SweeperConfig{}, func(Packet, int) ([]news, error) {
			return []news{{5 * time.Millisecond, Arrival{Outcome: Reply}}}, nil
		})
		defer s.Close()
		o := icmpOrder(t, 25*time.Second, "198.18.0.0/24")
		o.Usual = func(netip.Addr, Protocol) bool { return false }
		sweep := startSweep(t, s, o)
		waited := 0
		for range 100 {
			time.Sleep(111 * time.Millisecond)
			synctest.Wait()
			known := sweep.Known()
			r, _ := sweep.Round()
			plan, now := r.Plan(), InstantOf(time.Now())
			for _, target := range r.Passes[0].Unsent {
				due := r.Start.Add(plan.Offset(0, int(target)).Milliseconds())
				if due < known {
					t.Errorf("%v is known, and what was due at %v was not sent", known, due)
				}
				if due < now {
					waited++
				}
			}
		}
		if waited == 0 {
			t.Error("nothing waited")
		}
	})
}

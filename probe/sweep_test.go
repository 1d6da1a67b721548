package probe

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// icmpOrder is a full round by ICMP.
func icmpOrder(t testing.TB, span time.Duration, targets ...string) Order {
	space := testSpace(t, targets...)
	return Order{Space: space, Aims: []Aim{{ICMP, space}}, Seed: 7, Span: span}
}

func startSweep(t testing.TB, s *Sweeper, o Order) *Sweep {
	t.Helper()
	w, err := s.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// finalRound waits for a sweep and checks its round.
func finalRound(t testing.TB, w *Sweep) *Round {
	t.Helper()
	<-w.Done()
	r, _ := w.Round()
	if err := checkRound(r); err != nil {
		t.Fatal(err)
	}
	return r
}

// checkRound checks what holds of every round.
func checkRound(r *Round) error {
	if r.End < r.Start {
		return fmt.Errorf("the round ends %d ms before it starts", r.Start-r.End)
	}
	for _, p := range r.Passes {
		taken := map[int32]bool{}
		for i, target := range p.Unsent {
			taken[target] = true
			if i > 0 && p.Unsent[i-1] >= target {
				return fmt.Errorf("unsent %v is not in order", p.Unsent)
			}
		}
		for i, a := range p.Answers {
			if taken[a.Target] || int(a.Target) >= p.Targets.Len() {
				return fmt.Errorf("target %d has two outcomes or is none", a.Target)
			}
			taken[a.Target] = true
			if i > 0 && p.Answers[i-1].Target >= a.Target {
				return fmt.Errorf("answers are not in order at target %d", a.Target)
			}
			if a.Outcome == Timeout || a.Outcome == Unsent || a.RTT == 0 || a.RTT != QuantiseRTT(a.RTT) {
				return fmt.Errorf("answer %+v is none", a)
			}
		}
		if n := p.Targets.Len() - len(taken); len(p.SilentMS) != 0 && len(p.SilentMS) != n {
			return fmt.Errorf("%d are silent, and %d offsets are recorded", n, len(p.SilentMS))
		}
	}
	return nil
}

// outcomes counts the outcomes of a pass.
func outcomes(p Pass) map[Outcome]int {
	n := map[Outcome]int{}
	for _, a := range p.Answers {
		n[a.Outcome]++
	}
	if len(p.Unsent) > 0 {
		n[Unsent] = len(p.Unsent)
	}
	if silent := p.Targets.Len() - len(p.Answers) - len(p.Unsent); silent > 0 {
		n[Timeout] = silent
	}
	return n
}

func TestPacedSweepKeepsItsPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := openFake(t, SweeperConfig{}, replyAfter(40*time.Millisecond))
		defer s.Close()
		o := icmpOrder(t, 10*time.Second, "198.18.0.0/26")
		begin := time.Now()
		w := startSweep(t, s, o)
		<-w.Sent()
		r := finalRound(t, w)
		if r.Start != InstantOf(begin) || r.Span != o.Span || r.Timeout != 3*time.Second || !r.Seeded || r.Seed != 7 || !r.VantageOK {
			t.Errorf("round %+v", r)
		}
		plan := r.Plan()
		for _, a := range r.Passes[0].Answers {
			if planned := int32(plan.Offset(0, int(a.Target)).Milliseconds()); a.Offset < planned || a.Offset > planned+1 {
				t.Errorf("target %d left at %d ms, planned %d", a.Target, a.Offset, planned)
			}
			if a.RTT != QuantiseRTT(40_000) {
				t.Errorf("target %d: rtt %d us", a.Target, a.RTT)
			}
		}
		if got := outcomes(r.Passes[0]); got[Reply] != 64 || r.Passes[0].SilentMS != nil {
			t.Errorf("outcomes %v, silent %v", got, r.Passes[0].SilentMS)
		}
		if sent, planned, answered := w.Progress(); sent != 64 || planned != 64 || answered != 64 {
			t.Errorf("progress %d of %d, %d answered", sent, planned, answered)
		}
	})
}

// TestOutcomes has one target for each way in which a probe can end.
func TestOutcomes(t *testing.T) {
	router := netip.MustParseAddr("198.18.9.9")
	unreachable := Arrival{Outcome: Unreachable, Type: 3, Code: 13, From: router}
	script := func(p Packet, nth int) ([]news, error) {
		switch lastByte(p.Target) {
		case 0: // silent
		case 1:
			return []news{{time.Second, Arrival{Outcome: Reply}}}, nil
		case 2:
			return []news{{time.Second, Arrival{Outcome: Refused}}}, nil
		case 3:
			return []news{{4 * time.Second, Arrival{Outcome: Reply}}}, nil
		case 4:
			return []news{{time.Second, unreachable}, {2 * time.Second, unreachable}}, nil
		case 5: // life beats evidence
			return []news{{time.Second, unreachable}, {2 * time.Second, Arrival{Outcome: Reply}}}, nil
		case 6: // and late life too
			return []news{{time.Second, unreachable}, {9 * time.Second, Arrival{Outcome: Refused}}}, nil
		case 7:
			return nil, syscall.EPERM
		case 8: // the failure surfaces later
			return []news{{time.Second, Arrival{Outcome: Unsent, Err: syscall.EMFILE}}}, nil
		case 9: // buffers full twice, then not
			if nth < 2 {
				return nil, syscall.ENOBUFS
			}
			return []news{{time.Second, Arrival{Outcome: Reply}}}, nil
		case 10: // buffers full for good
			return nil, syscall.ENOBUFS
		case 11: // duplicates
			r := Arrival{Outcome: Reply}
			return []news{{time.Second, r}, {time.Second, r}, {2 * time.Second, r}}, nil
		case 12: // news of no kind
			return []news{{time.Second, Arrival{Outcome: Late}}}, nil
		case 13: // tickets nobody issued
			return []news{
				{time.Second, Arrival{Ticket: p.Ticket + 1, Outcome: Reply}},
				{time.Second, Arrival{Ticket: p.Ticket + 1<<40, Outcome: Reply}},
				{time.Second, Arrival{Ticket: p.Ticket | 1<<39, Outcome: Reply}},
			}, nil
		}
		return nil, nil
	}
	want := map[int]Outcome{0: Timeout, 1: Reply, 2: Refused, 3: Late, 4: Unreachable, 5: Reply, 6: Late, 7: Unsent, 8: Unsent,
		9: Reply, 10: Unsent, 11: Reply, 12: Timeout, 13: Timeout, 14: Timeout, 15: Timeout}
	synctest.Test(t, func(t *testing.T) {
		s, wire := openFake(t, SweeperConfig{}, script)
		defer s.Close()
		w := startSweep(t, s, icmpOrder(t, time.Second, "198.18.0.0/28"))
		r := finalRound(t, w)
		got := map[int]Outcome{}
		for i := range 16 {
			got[i] = Timeout
		}
		for _, i := range r.Passes[0].Unsent {
			got[int(i)] = Unsent
		}
		for _, a := range r.Passes[0].Answers {
			got[int(a.Target)] = a.Outcome
			if a.Outcome == Unreachable && (a.Type != 3 || a.Code != 13 || a.From != router) {
				t.Errorf("unreachable is %+v", a)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		stats := s.Stats()
		local := map[string]uint64{"EPERM": 1, "EMFILE": 1, "ENOBUFS": 1}
		if diff := cmp.Diff(local, stats.Protocols[ICMP].Local); diff != "" {
			t.Error(diff)
		}
		if stats.Duplicates != 3 || stats.Unknown != 4 {
			t.Errorf("%d duplicates, %d unknown", stats.Duplicates, stats.Unknown)
		}
		for _, p := range wire.log {
			if !wire.forgotten[p.Ticket] {
				t.Errorf("ticket of %s is never forgotten", p.Target)
			}
		}
	})
}

// unread is a wire that may have come to it what it has not delivered.
type unread struct {
	*fakeWire
	caughtUp atomic.Bool
}

func (w *unread) CaughtUp() bool { return w.caughtUp.Load() }

// TestWhatCameIsReadBeforeSilenceIsJudged: the goroutine that reads does not get to it for eight seconds.
func TestWhatCameIsReadBeforeSilenceIsJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &unread{}
		s, err := OpenSweeper(SweeperConfig{OpenWire: func(_ Protocol, sink func(Arrival)) (Wire, error) {
			_, wire.fakeWire = openFake(t, SweeperConfig{}, silent)
			wire.sink = sink
			return wire, nil
		}}, []Protocol{ICMP})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		w := startSweep(t, s, icmpOrder(t, time.Second, "198.18.0.0/30"))
		time.Sleep(8 * time.Second)
		synctest.Wait()
		if r, _ := w.Round(); len(r.Passes[0].Unsent) != 4 {
			t.Errorf("%d of 4 are undecided", len(r.Passes[0].Unsent))
		}
		for _, p := range wire.log[:2] {
			wire.sink(Arrival{Ticket: p.Ticket, Outcome: Reply, At: p.at.Add(20 * time.Millisecond)})
		}
		wire.caughtUp.Store(true)
		if got := outcomes(finalRound(t, w).Passes[0]); got[Reply] != 2 || got[Timeout] != 2 {
			t.Errorf("%v", got)
		}
	})
}

func TestLateWindowCloses(t *testing.T) {
	script := func(p Packet, _ int) ([]news, error) {
		after := 29 * time.Second
		if lastByte(p.Target)%2 == 1 {
			after = 31 * time.Second
		}
		return []news{{after, Arrival{Outcome: Reply}}}, nil
	}
	synctest.Test(t, func(t *testing.T) {
		s, _ := openFake(t, SweeperConfig{}, script)
		defer s.Close()
		r := finalRound(t, startSweep(t, s, icmpOrder(t, 10*time.Minute, "198.18.0.0/24")))
		if got := outcomes(r.Passes[0]); got[Late] != 128 || got[Timeout] != 128 {
			t.Errorf("outcomes %v", got)
		}
		// Of the last probes the sweep itself was over.
		if stats := s.Stats(); stats.TooLate+stats.Unknown < 120 || stats.TooLate < 120 {
			t.Errorf("%d too late", stats.TooLate)
		}
		if got := s.Stats().Protocols[ICMP].Outcomes; got[Late] != 128 || got[Timeout] != 128 {
			t.Errorf("counted outcomes %v", got)
		}
	})
}

func TestRetryOfUsualServices(t *testing.T) {
	usual := func(a netip.Addr, _ Protocol) bool { return lastByte(a) < 4 }
	script := func(p Packet, nth int) ([]news, error) {
		switch at := lastByte(p.Target); {
		case at == 0 && nth == 1: // the retry is answered in time
			return []news{{time.Second, Arrival{Outcome: Reply}}}, nil
		case at == 1 && nth == 1: // late
			return []news{{5 * time.Second, Arrival{Outcome: Reply}}}, nil
		case at == 2 && nth == 0: // the first attempt is answered while the retry is under way
			return []news{{4 * time.Second, Arrival{Outcome: Reply}}}, nil
		}
		return nil, nil
	}
	synctest.Test(t, func(t *testing.T) {
		s, wire := openFake(t, SweeperConfig{Retries: 1}, script)
		defer s.Close()
		o := icmpOrder(t, 10*time.Second, "198.18.0.0/29")
		o.Usual = usual
		r := finalRound(t, startSweep(t, s, o))
		planned := func(i int32) int32 { return int32(r.Plan().Offset(0, int(i)).Milliseconds()) }
		want := []Answer{
			{Target: 0, Outcome: Reply, Offset: planned(0) + 3001, First: UnknownOffset, RTT: QuantiseRTT(1e6)},
			{Target: 1, Outcome: Late, Offset: planned(1) + 3001, First: planned(1), RTT: QuantiseRTT(5e6)},
			{Target: 2, Outcome: Late, Offset: planned(2), First: UnknownOffset, RTT: QuantiseRTT(4e6)},
		}
		const leisure = int32(timeoutLeisure/time.Millisecond) + 3 // a retry waits so long for the next probe
		near := cmp.Comparer(func(a, b int32) bool { return a-b < leisure && b-a < leisure })
		if diff := cmp.Diff(want, r.Passes[0].Answers, near, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
		tries := map[int]int{}
		for _, p := range wire.log {
			tries[lastByte(p.Target)]++
		}
		if want := map[int]int{0: 2, 1: 2, 2: 2, 3: 2, 4: 1, 5: 1, 6: 1, 7: 1}; !maps.Equal(tries, want) {
			t.Errorf("packets by target: %v, want %v", tries, want)
		}
	})
}

// TestRetriesKeepToTheAllowance: 256 usual services of one /24 fall silent, and a bucket of 32 is all there is.
func TestRetriesKeepToTheAllowance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, wire := openFake(t, SweeperConfig{Retries: 1, ExtraPer24: 0.4}, silent)
		defer s.Close()
		o := icmpOrder(t, 10*time.Second, "198.18.0.0/24")
		o.Usual = func(netip.Addr, Protocol) bool { return true }
		finalRound(t, startSweep(t, s, o))
		if extra := len(wire.log) - 256; extra < 32 || extra > 32+4 {
			t.Errorf("%d retries, want 32 and 0.4 for each of ten seconds", extra)
		}
	})
}

func TestConfirmationWaitsForItsAllowance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, wire := openFake(t, SweeperConfig{ExtraPer24: 0.4}, replyAfter(time.Millisecond))
		defer s.Close()
		o := icmpOrder(t, 0, "198.18.0.0/26")
		o.Kind = Confirm
		r := finalRound(t, startSweep(t, s, o))
		if got := outcomes(r.Passes[0]); got[Reply] != 36 || got[Unsent] != 28 {
			t.Errorf("outcomes %v, want 32 at once, 4 in the ten seconds after, the rest unsent", got)
		}
		if n := s.Stats().Protocols[ICMP].Local["extra_per_24"]; n != 28 || len(wire.log) != 36 {
			t.Errorf("%d counted as without leave, %d sent", n, len(wire.log))
		}
	})
}

func TestRateCapsAllSweepsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, wire := openFake(t, SweeperConfig{Rate: 100}, replyAfter(time.Millisecond))
		defer s.Close()
		a := startSweep(t, s, icmpOrder(t, 0, "198.18.0.0/24"))
		b := startSweep(t, s, icmpOrder(t, 0, "198.18.1.0/24"))
		finalRound(t, a)
		finalRound(t, b)
		if took := wire.log[511].at.Sub(wire.log[0].at); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("512 packets took %s at 100 a second", took)
		}
	})
}

// TestStallIsNotFlooded: a send that blocks for two seconds costs the probes that were due meanwhile, and no more.
func TestStallIsNotFlooded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, wire := openFake(t, SweeperConfig{}, silent)
		defer s.Close()
		wire.stall = 2 * time.Second
		r := finalRound(t, startSweep(t, s, icmpOrder(t, 10*time.Second, "198.18.0.0/24")))
		unsent := len(r.Passes[0].Unsent)
		if unsent < 35 || unsent > 45 || s.Stats().Protocols[ICMP].Local["overdue"] != uint64(unsent) {
			t.Errorf("%d unsent of the 51 due in two seconds less the tolerance", unsent)
		}
		if r.Passes[0].SilentMS != nil || r.Slack < 2000 {
			t.Errorf("silent offsets %v, slack %d ms", r.Passes[0].SilentMS, r.Slack)
		}
		plan := r.Plan()
		for _, p := range wire.log {
			i, _ := r.Space.Index(p.Target)
			if off := p.at.Sub(r.Start.Time()) - plan.Offset(0, i); off > PlanTolerance && i != 0 && wire.log[0].Target != p.Target {
				t.Errorf("%s left %s off its plan", p.Target, off)
			}
		}
	})
}

// TestBrokenOffPassTellsTheSilent: of an unpaced sweep that is broken off, who was silent for a timeout is not unsent.
func TestBrokenOffPassTellsTheSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := openFake(t, SweeperConfig{Timeout: 100 * time.Millisecond, Rate: 100}, silent)
		defer s.Close()
		ctx, cancel := context.WithCancel(t.Context())
		w, err := s.Start(ctx, icmpOrder(t, 0, "198.18.0.0/24"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		cancel()
		if got := outcomes(finalRound(t, w).Passes[0]); got[Timeout] < 80 || got[Timeout] > 100 {
			t.Errorf("%v after a second at 100 a second", got)
		}
	})
}

func TestCancelledSweepIsUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := openFake(t, SweeperConfig{}, replyAfter(time.Second))
		defer s.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		w, err := s.Start(ctx, icmpOrder(t, 10*time.Second, "198.18.0.0/24"))
		if err != nil {
			t.Fatal(err)
		}
		r := finalRound(t, w)
		got := outcomes(r.Passes[0])
		if got[Reply] < 100 || got[Reply] > 105 || got[Reply]+got[Unsent] != 256 {
			t.Errorf("outcomes %v, want what was answered in the first five seconds, and unsent", got)
		}
		if end := r.End - r.Start; end < 4900 || end > 5000 {
			t.Errorf("sending ended after %d ms", end)
		}
		select {
		case <-w.Sent():
		default:
			t.Error("Sent is open after Done")
		}
	})
}

func TestCloseEndsSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, wire := openFake(t, SweeperConfig{}, silent)
		w := startSweep(t, s, icmpOrder(t, time.Hour, "198.18.0.0/24"))
		time.Sleep(time.Minute)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		finalRound(t, w)
		if !wire.closed {
			t.Error("the wire is open")
		}
		if _, err := s.Start(t.Context(), icmpOrder(t, 0, "198.18.0.1")); err == nil {
			t.Error("a closed sweeper starts a sweep")
		}
	})
}

// TestStartBesideClose: whoever starts sweeps while the sweeper is closed is refused sooner or later, and touches nothing that
// is being released, which the race detector watches.
func TestStartBesideClose(t *testing.T) {
	for range 50 {
		s, _ := openFake(t, SweeperConfig{}, replyAfter(0))
		order := icmpOrder(t, 0, "198.18.0.1")
		refused := make(chan struct{})
		go func() {
			defer close(refused)
			for {
				w, err := s.Start(t.Context(), order)
				if err != nil {
					return
				}
				<-w.Done()
			}
		}()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		<-refused
	}
}

func TestOrdersThatMakeNoSense(t *testing.T) {
	s, _ := openFake(t, SweeperConfig{}, silent)
	defer s.Close()
	one := testSpace(t, "198.18.0.1")
	for name, aims := range map[string][]Aim{
		"no aim":        nil,
		"no target":     {{ICMP, Space{}}},
		"twice":         {{ICMP, one}, {ICMP, one}},
		"not opened":    {{TCP(80), one}},
		"zero protocol": {{Protocol{}, one}},
	} {
		if _, err := s.Start(t.Context(), Order{Space: one, Aims: aims}); err == nil {
			t.Errorf("%s: started", name)
		}
	}
	if _, err := OpenSweeper(SweeperConfig{Timeout: -1}, nil); err == nil {
		t.Error("a negative timeout is taken")
	}
}

func TestPassesAreInOrderOfProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wires := 0
		cfg := SweeperConfig{OpenWire: func(_ Protocol, sink func(Arrival)) (Wire, error) {
			wires++
			return &fakeWire{sink: sink, script: replyAfter(time.Millisecond), sent: map[netip.Addr]int{}, forgotten: map[Ticket]bool{}}, nil
		}}
		s, err := OpenSweeper(cfg, []Protocol{DNS, TCP(443), TCP(80), ICMP})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		space := testSpace(t, "198.18.0.0/28", "2001:db8::/124")
		r := finalRound(t, startSweep(t, s, Order{Space: space, Aims: []Aim{{DNS, space}, {TCP(443), space}, {ICMP, space}, {TCP(80), space}}}))
		var got []Protocol
		for i, p := range r.Passes {
			got = append(got, p.Protocol)
			if lives(r, i) != 32 {
				t.Errorf("%s: %d of 32 answered", p.Protocol, lives(r, i))
			}
		}
		if !slices.Equal(got, []Protocol{ICMP, TCP(80), TCP(443), DNS}) || wires != 3 {
			t.Errorf("passes %v over %d wires", got, wires)
		}
	})
}

// TestFirstProbesComeBeforeRetries: a space that is silent, swept at nearly the rate there is. Nobody goes unasked because others
// are asked again.
func TestFirstProbesComeBeforeRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, wire := openFake(t, SweeperConfig{Rate: 200, Retries: 1}, silent)
		defer s.Close()
		o := icmpOrder(t, 6*time.Second, "198.18.0.0/22")
		o.Usual = func(netip.Addr, Protocol) bool { return true }
		if got := outcomes(finalRound(t, startSweep(t, s, o)).Passes[0]); got[Timeout] != 1024 || len(wire.log) != 2048 {
			t.Errorf("%v by %d packets, want everybody silent, asked twice", got, len(wire.log))
		}
	})
}

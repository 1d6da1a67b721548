package probe

import (
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestTheSilentAreAskedAgainForAsLongAsThatFindsLife: also where answers take longer than the wait for them after the pass, where
// a cap is above what the way carries, and where a space is large.
func TestTheSilentAreAskedAgainForAsLongAsThatFindsLife(t *testing.T) {
	for name, c := range map[string]struct {
		perSecond int
		distance  time.Duration
		rate      int
		space     string
		want      int
	}{
		"from afar":              {2_000, 500 * time.Millisecond, 0, "198.18.0.0/22", 20},
		"from afar, half as far": {2_000, 300 * time.Millisecond, 0, "198.18.0.0/22", 20},
		"over a very slow way":   {1_000, time.Millisecond, 0, "198.18.0.0/22", 20},
		"under a cap":            {2_000, time.Millisecond, 5_000, "198.18.0.0/22", 20},
		"in a large space":       {10_000, time.Millisecond, 0, "198.18.0.0/16", 1280},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, dropped := bottleneck(c.perSecond, 50, func(p Packet) bool { return lastByte(p.Target)%57 == 9 })
				s, wire := openFake(t, SweeperConfig{Rate: c.rate}, func(p Packet, nth int) ([]news, error) {
					all, err := near(p, nth)
					for i := range all {
						all[i].after += c.distance
					}
					return all, err
				})
				defer s.Close()
				w := startSweep(t, s, icmpOrder(t, 0, c.space))
				<-w.Sent()
				r, _ := w.Round()
				if got := lives(r, 0); got != c.want {
					t.Errorf("%d of %d found; the way dropped %d of %d packets", got, c.want, *dropped, len(wire.log))
				}
			})
		})
	}
}

// TestTheLastDoubtAndTheRetriesAgree: what is about to be asked again is not looked at for its timeout, and so not asked twice
// under one number, after which no attempt would be its last.
func TestTheLastDoubtAndTheRetriesAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, wire := openFake(t, SweeperConfig{Timeout: 500 * time.Millisecond, Retries: 8}, func(p Packet, nth int) ([]news, error) {
			if b := lastByte(p.Target); b < 8 && nth >= b { // every doubt finds life
				return []news{{time.Millisecond, Arrival{Outcome: Reply}}}, nil
			}
			return nil, nil
		})
		defer s.Close()
		o := icmpOrder(t, 0, "198.18.0.0/20")
		o.Usual = func(netip.Addr, Protocol) bool { return true }
		w := startSweep(t, s, o)
		select {
		case <-w.Sent():
		case <-time.After(10 * time.Minute):
			t.Error("the sweep hangs")
		}
		for ref, n := range attemptsLogged(wire) {
			if n > 1 {
				t.Fatalf("attempt %d of service %d was made %d times", ref.attempt(), ref.service(), n)
			}
		}
	})
}

// attemptsLogged is how often each attempt was sent.
func attemptsLogged(wire *fakeWire) map[attemptRef]int {
	wire.mu.Lock()
	defer wire.mu.Unlock()
	all := map[attemptRef]int{}
	for _, p := range wire.log {
		all[refOf(p.Ticket.service(), p.Ticket.attempt())]++
	}
	return all
}

// TestALateAnswerIsNoLossFound: an answer to the first attempt, however late, does not have everybody asked again and again.
func TestALateAnswerIsNoLossFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, wire := openFake(t, SweeperConfig{}, func(p Packet, nth int) ([]news, error) {
			after := time.Millisecond
			switch b := lastByte(p.Target); {
			case b >= 64:
				return nil, nil
			case b >= 48:
				after = time.Duration(b-47) * 50 * time.Millisecond
			}
			return []news{{after, Arrival{Outcome: Reply}}}, nil
		})
		defer s.Close()
		finalRound(t, startSweep(t, s, icmpOrder(t, 0, "198.18.0.0/22")))
		if n := len(wire.log); n > 2*1024 {
			t.Errorf("%d packets to 1024 addresses of a way that loses none", n)
		}
	})
}

// TestAnAnswerUnderWayOutlivesAFailureToAskAgain: who was asked, and is to be asked again while we cannot send, may yet answer.
func TestAnAnswerUnderWayOutlivesAFailureToAskAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &overflowing{}
		script := func(_ Packet, nth int) ([]news, error) {
			if nth > 0 {
				wire.dropped = 1 // a fault of ours that befalls the first attempt too, for all we know
				return nil, syscall.ENETUNREACH
			}
			return []news{{500 * time.Millisecond, Arrival{Outcome: Reply}}}, nil
		}
		s := wire.open(t, script)
		defer s.Close()
		r := finalRound(t, startSweep(t, s, icmpOrder(t, 0, "198.18.0.0/24")))
		if got := lives(r, 0); got != 256 {
			t.Errorf("%d of 256 found, %d unsent", got, len(r.Passes[0].Unsent))
		}
	})
}

package probe

import (
	"context"
	"net/netip"
	"testing"
	"time"
)

// TestTendedWireIsReadByItsTenders: what comes waits for them, and when the last has left, the wire reads it.
func TestTendedWireIsReadByItsTenders(t *testing.T) {
	bothModes(t, "", func(t *testing.T, cfg SweeperConfig) {
		command(t, "ip route add local 198.18.0.0/24 dev lo")
		w := drive(t, openICMP, cfg)
		wire := w.wire.(*icmpWire)
		send := func() { // as many as leave without stamps: of those the error queue tells, for which the wire wakes
			packets := make([]Packet, stampLimit)
			for i := range packets {
				packets[i] = Packet{Ticket: makeTicket(1, i, 0), Target: netip.MustParseAddr("198.18.0.7"), Protocol: ICMP}
			}
			wire.Send(packets)
			for _, p := range packets {
				if p.Err != nil {
					t.Fatal(p.Err)
				}
			}
		}
		waits := func() {
			t.Helper()
			eventually(t, "a reply has come", func() bool { return wire.Buffers().full > 0 })
			if wire.CaughtUp() || len(w.arrivals) > 0 {
				t.Fatalf("caught up: %t, with %d arrivals; want none before it is read", wire.CaughtUp(), len(w.arrivals))
			}
		}
		wire.Tend(true)
		send()
		waits()
		eventually(t, "all are read", func() bool {
			wire.Read()
			return len(w.arrivals) == stampLimit && wire.CaughtUp()
		})
		for range stampLimit {
			w.next()
		}
		wire.Tend(true)
		send()
		wire.Tend(false)
		waits()
		wire.Tend(false)
		if a := w.next(); a.Outcome != Reply {
			t.Errorf("%+v, want a reply", a)
		}
	})
}

// TestUnpacedSweepLeavesItsWires: a paced sweep on the same sockets hears its replies beside one and after it, broken off or
// not.
func TestUnpacedSweepLeavesItsWires(t *testing.T) {
	bothModes(t, "", func(t *testing.T, cfg SweeperConfig) {
		command(t, "ip route add local 198.18.0.0/22 dev lo")
		cfg.Timeout = time.Second
		s := openTest(t, cfg, ICMP)
		start := func(ctx context.Context, span time.Duration, targets ...string) *Sweep {
			t.Helper()
			space := testSpace(t, targets...)
			w, err := s.Start(ctx, Order{Space: space, Aims: []Aim{{ICMP, space}}, Seed: 1, Span: span})
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		all := func(w *Sweep) {
			t.Helper()
			<-w.Sent()
			r, _ := w.Round() // what a busy machine did not send in time is unsent
			if got := outcomes(r.Passes[0]); got[Reply] == 0 || got[Reply]+got[Unsent] != 256 {
				t.Errorf("%v, want 256 replies; %+v", got, s.Stats())
			}
		}
		beside := start(t.Context(), time.Second, "198.18.0.0/24")
		<-start(t.Context(), 0, "198.18.0.0/23").Sent()
		all(beside)
		ctx, cancel := context.WithCancel(t.Context())
		broken := start(ctx, 0, "198.18.0.0/23")
		cancel()
		<-broken.Done()
		wire := s.wires[kindICMP].(*icmpWire)
		wire.mu.RLock()
		n := wire.tenders
		wire.mu.RUnlock()
		if n != 0 {
			t.Errorf("%d tend the wire that is not swept", n)
		}
		all(start(t.Context(), 200*time.Millisecond, "198.18.0.0/24"))
	})
}

package probe

import (
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// bottleneck is the script of a space behind a queue that silently drops what it cannot hold.
func bottleneck(perSecond, holds int, alive func(Packet) bool) (script func(Packet, int) ([]news, error), dropped *int) {
	var free time.Time // when the queue will be empty
	dropped = new(int)
	each := time.Second / time.Duration(perSecond)
	return func(p Packet, _ int) ([]news, error) {
		now := time.Now()
		if free.Before(now) {
			free = now
		}
		if free.Sub(now) > time.Duration(holds)*each {
			*dropped++
			return nil, nil
		}
		free = free.Add(each)
		if !alive(p) {
			return nil, nil
		}
		return []news{{free.Sub(now), Arrival{Outcome: Reply}}}, nil
	}, dropped
}

// TestUnpacedSweepLosesNothing: whatever share of a space answers, and however slow the way there, all that would answer
// a single probe are found by an unpaced sweep.
func TestUnpacedSweepLosesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		perSecond, holds int
		alive            func(Packet) bool
		want             int
		timeout          time.Duration // 0: the default
		space            string
	}{
		"all answer":                {100_000, 500, func(Packet) bool { return true }, 4096, 0, "198.18.0.0/20"},
		"all answer slowly":         {20_000, 300, func(Packet) bool { return true }, 4096, 0, "198.18.0.0/20"},
		"half answer":               {20_000, 300, func(p Packet) bool { return lastByte(p.Target)%2 == 0 }, 2048, 0, "198.18.0.0/20"},
		"half, and a short timeout": {20_000, 300, func(p Packet) bool { return lastByte(p.Target)%2 == 0 }, 2048, 50 * time.Millisecond, "198.18.0.0/20"},
		// No run of packets tells that the first pace is too much for the way there.
		"an eighth of few":            {80_000, 300, func(p Packet) bool { return lastByte(p.Target)%8 == 0 }, 128, 0, "198.18.0.0/22"},
		"few, over a slow way":        {10_000, 100, func(p Packet) bool { return lastByte(p.Target) == 9 }, 16, 0, "198.18.0.0/20"},
		"none answers":                {1_000_000, 500, func(Packet) bool { return false }, 0, 0, "198.18.0.0/20"},
		"a few answer, at a far pace": {200_000, 500, func(p Packet) bool { return lastByte(p.Target) == 9 }, 16, 0, "198.18.0.0/20"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script, dropped := bottleneck(c.perSecond, c.holds, c.alive)
				s, wire := openFake(t, SweeperConfig{Timeout: c.timeout}, script)
				defer s.Close()
				begin := time.Now()
				w := startSweep(t, s, icmpOrder(t, 0, c.space))
				<-w.Sent()
				r, _ := w.Round()
				if got := lives(r, 0); got != c.want {
					t.Errorf("%d of %d found; the way dropped %d of %d packets", got, c.want, *dropped, len(wire.log))
				}
				if took := time.Since(begin); took > 5*time.Second {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

// overflowing is a wire whose receive buffer has dropped packets.
type overflowing struct {
	*fakeWire
	dropped uint64
}

func (w *overflowing) Buffers() buffers { return buffers{dropped: w.dropped} }

// open opens a sweeper of ICMP on the wire.
func (w *overflowing) open(t *testing.T, script func(p Packet, nth int) ([]news, error)) *Sweeper {
	t.Helper()
	s, err := OpenSweeper(SweeperConfig{OpenWire: func(_ Protocol, sink func(Arrival)) (Wire, error) {
		_, w.fakeWire = openFake(t, SweeperConfig{}, script)
		w.sink = sink
		return w, nil
	}}, []Protocol{ICMP})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestReceiveDropsAreAskedAgain: replies that our own full buffer lost are silence that is doubted.
func TestReceiveDropsAreAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &overflowing{}
		script := func(p Packet, nth int) ([]news, error) {
			if at := lastByte(p.Target); at < 30 {
				return []news{{time.Millisecond, Arrival{Outcome: Reply}}}, nil
			} else if at < 40 && nth > 0 {
				return []news{{time.Millisecond, Arrival{Outcome: Reply}}}, nil
			} else if at < 40 {
				wire.dropped++
			}
			return nil, nil
		}
		s := wire.open(t, script)
		defer s.Close()
		r := finalRound(t, startSweep(t, s, icmpOrder(t, 0, "198.18.0.0/24")))
		if got := lives(r, 0); got != 40 {
			t.Errorf("%d of 40 found", got)
		}
	})
}

// TestUnpacedSweepWaitsForFullBuffers: a busy machine may not empty our own queue for a second; nothing goes unsent.
func TestUnpacedSweepWaitsForFullBuffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s, _ := openFake(t, SweeperConfig{}, func(Packet, int) ([]news, error) {
			if since := time.Since(begin); since > 5*time.Millisecond && since < time.Second {
				return nil, syscall.ENOBUFS
			}
			return []news{{time.Millisecond, Arrival{Outcome: Reply}}}, nil
		})
		defer s.Close()
		w := startSweep(t, s, icmpOrder(t, 0, "198.18.0.0/22"))
		<-w.Sent()
		r, _ := w.Round()
		if got := lives(r, 0); got != 1024 || time.Since(begin) < time.Second {
			t.Errorf("%d of 1024 found, %d unsent, after %s", got, len(r.Passes[0].Unsent), time.Since(begin))
		}
	})
}

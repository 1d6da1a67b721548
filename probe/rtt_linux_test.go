package probe

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var stepClock = flag.Bool("step-clock", false, "step this machine's wall clock by an hour and back: on a machine of your own, like a virtual one")

// What an RTT may be off by: half of 10,000 probes by no more than the first, 99 in 100 by no more than the second.
const (
	rttErrorHalf = 20 * time.Microsecond
	rttErrorMost = 100 * time.Microsecond
)

// TestRTTAgainstACapture compares every RTT that a sweep comes to, before it is quantised for the round, with what a
// packet capture says of the same attempt: reply in less request out, by the kernel's stamps at the device. The far side
// answers at once or after up to 20 ms. With -long the errors must be within the project's bounds.
func TestRTTAgainstACapture(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	sysctl(t, "net/ipv4/ping_group_range", "0 2147483647")
	go answerEchoes(openTUN(t, "198.19.0.0/18"), variedDelay)
	for _, mode := range []ICMPMode{ICMPRaw, ICMPDatagram} {
		for _, pace := range []int{1000, 10_000, 0} {
			for _, d := range disturbances {
				if d.only != nil && !*d.only {
					continue
				}
				t.Run(fmt.Sprintf("%s, %d a second, %s", mode, pace, d.name), func(t *testing.T) {
					errs, receiving := measureRTTs(t, mode, pace, d.disturb)
					t.Logf("%d RTTs are off by %s; of that, on the receiving side: %s", len(errs), quantiles(errs), quantiles(receiving))
					if *long && (quantile(errs, 0.5) > rttErrorHalf || quantile(errs, 0.99) > rttErrorMost) {
						t.Errorf("more than %s at the median or %s at 99 %%", rttErrorHalf, rttErrorMost)
					}
				})
			}
		}
	}
}

// disturbances are what else goes on meanwhile, and the flag that permits it.
var disturbances = []struct {
	name    string
	disturb func(context.Context)
	only    *bool
}{
	{"quiet", nil, nil}, {"allocating", allocate, long}, {"stepped", step, stepClock},
}

// variedDelay is a delay of each address's own: none for every fifth, else 1 to 20 ms.
func variedDelay(a netip.Addr) time.Duration {
	b := a.As4()
	h := mix(uint64(b[2])<<8 | uint64(b[3]))
	if h%5 == 0 {
		return 0
	}
	return time.Millisecond + time.Duration(h>>8%19_000)*time.Microsecond
}

// measureRTTs sweeps and returns by how much each RTT is off, and which part of it the time of receiving is, in any order.
// A pace of 0 is unpaced.
func measureRTTs(t *testing.T, mode ICMPMode, pace int, disturb func(context.Context)) (errs, receiving []time.Duration) {
	space := testSpace(t, "198.19.0.0/24")
	if *long {
		space = testSpace(t, "198.19.0.0/19", "198.19.32.0/21") // 10,240
	}
	span := time.Duration(0)
	if pace > 0 {
		span = time.Duration(space.Len()) * time.Second / time.Duration(pace)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var disturbing sync.WaitGroup
	defer disturbing.Wait()
	defer cancel()
	if disturb != nil {
		disturbing.Go(func() { disturb(ctx) })
	}
	s, came := openWatched(t, mode)
	defer s.Close()
	c := startCapture(t)
	w, err := s.Start(ctx, Order{Space: space, Aims: []Aim{{ICMP, space}}, Seed: 1, Span: span})
	if err != nil {
		t.Fatal(err)
	}
	<-w.Sent()
	arrivals := came()
	seen := c.read(t)
	if len(arrivals) < space.Len() {
		t.Errorf("%d of %d probes were answered", len(arrivals), space.Len())
	}
	if slow := pace > 0 && pace <= 1000; slow && !slices.ContainsFunc(arrivals, func(a Arrival) bool { return a.RTT > 0 }) {
		t.Error("of no packet the kernel said when it left")
	}
	return w.rttErrors(t, arrivals, seen)
}

// openWatched opens a sweeper, and says what its wire has delivered so far.
func openWatched(t *testing.T, mode ICMPMode) (s *Sweeper, came func() []Arrival) {
	t.Helper()
	cfg, err := SweeperConfig{ICMP: mode, Contact: "https://example.org/probe"}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // guards arrivals
	arrivals := make([]Arrival, 0, 1<<15)
	real := cfg
	cfg.OpenWire = func(_ Protocol, sink func(Arrival)) (Wire, error) {
		return openICMP(&real, func(a Arrival) {
			mu.Lock()
			arrivals = append(arrivals, a)
			mu.Unlock()
			sink(a) // after it the sweep may be at its end
		})
	}
	if s, err = OpenSweeper(cfg, []Protocol{ICMP}); err != nil {
		t.Fatal(err)
	}
	return s, func() []Arrival {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(arrivals)
	}
}

// rttErrors is how far the sweep's round-trip times are off those of a capture.
func (w *Sweep) rttErrors(t *testing.T, arrivals []Arrival, seen map[Ticket]captured) (errs, receiving []time.Duration) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range arrivals {
		at := seen[a.Ticket]
		if at.sent == 0 || at.came == 0 {
			t.Fatalf("the capture did not see both ways of ticket %x: %+v", a.Ticket, at)
		}
		_, rtt := w.roundTrip(refOf(a.Ticket.service(), a.Ticket.attempt()), a)
		errs = append(errs, rtt-at.roundTrip())
		receiving = append(receiving, sameHour(time.Duration(a.At.UnixNano()-at.came)))
	}
	return errs, receiving
}

// quantile is the q-quantile of how far errors are from 0.
func quantile(errs []time.Duration, q float64) time.Duration {
	size := make([]time.Duration, len(errs))
	for i, e := range errs {
		size[i] = e.Abs()
	}
	slices.Sort(size)
	return size[int(q*float64(len(size)-1))]
}

func quantiles(errs []time.Duration) string {
	return fmt.Sprintf("p50 %s, p90 %s, p99 %s, most %s",
		quantile(errs, 0.5), quantile(errs, 0.9), quantile(errs, 0.99), quantile(errs, 1))
}

var garbage []*[1 << 12]byte

// allocate makes 500 MB of garbage a second, beside 64 MB of live objects, until ctx ends.
func allocate(ctx context.Context) {
	live := make([][]*[1 << 12]byte, 32)
	const every = 4 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		<-tick.C
		garbage = make([]*[1 << 12]byte, 500*1000*1000/int(time.Second/every)/(1<<12))
		for k := range garbage {
			garbage[k] = new([1 << 12]byte)
		}
		live[i%len(live)] = garbage
	}
	garbage = nil
}

// step steps the wall clock by an hour, back and forth, four times a second, until ctx ends, and leaves it where it was.
func step(ctx context.Context) {
	by := time.Hour
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil || by < 0 {
		<-tick.C
		var now unix.Timeval
		if err := unix.Gettimeofday(&now); err != nil {
			panic(err)
		}
		now = unix.NsecToTimeval(now.Nano() + int64(by)) // its seconds are of 32 bits on some machines
		if err := unix.Settimeofday(&now); err != nil {
			panic(err)
		}
		by = -by
	}
}

package probe

import (
	"net/netip"
	"os"
	"testing"
	"time"
)

// wireTest drives a wire without a sweeper.
type wireTest struct {
	*testing.T
	wire     Wire
	tally    wireTally
	arrivals chan Arrival
	tickets  int
}

// drive opens a wire and closes it when the test ends.
func drive(t *testing.T, open func(*SweeperConfig, func(Arrival)) (Wire, error), cfg SweeperConfig) *wireTest {
	t.Helper()
	w := &wireTest{T: t, arrivals: make(chan Arrival, 4096)}
	cfg.tally = &w.tally
	var err error
	if w.wire, err = open(&cfg, func(a Arrival) { w.arrivals <- a }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.wire.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// send sends one attempt with a ticket of its own.
func (w *wireTest) send(target string, p Protocol, attempt int) (Ticket, error) {
	w.Helper()
	w.tickets++
	packets := []Packet{{Ticket: makeTicket(1, w.tickets, attempt), Target: netip.MustParseAddr(target), Protocol: p}}
	w.wire.Send(packets)
	return packets[0].Ticket, packets[0].Err
}

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// next is what arrives next.
func (w *wireTest) next() Arrival {
	w.Helper()
	select {
	case a := <-w.arrivals:
		return a
	case <-time.After(patience):
		w.Fatal("nothing arrived")
		panic("unreachable")
	}
}

// ask sends one attempt and yields what comes of it.
func (w *wireTest) ask(target string, p Protocol) Arrival {
	w.Helper()
	ticket, err := w.send(target, p, 0)
	if err != nil {
		w.Fatal(err)
	}
	a := w.next()
	if a.Ticket != ticket {
		w.Fatalf("%s %s: arrived %+v for ticket %x", target, p, a, ticket)
	}
	return a
}

// quiet checks that nothing has arrived: it asks what surely answers, after whatever was sent before.
func (w *wireTest) quiet(target string, p Protocol) {
	w.Helper()
	if a := w.ask(target, p); a.Outcome != Reply {
		w.Fatalf("%s %s: %+v, want a reply", target, p, a)
	}
}

// eventually waits until a condition holds that no channel tells of.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not yet: %s", what)
		}
	}
}

// openFiles is the number of descriptors of the process.
func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

package probe

import (
	"net/netip"
	"sync"
	"testing"
	"time"
)

// fakeWire answers by a script. Under testing/synctest its delays are exact.
type fakeWire struct {
	sink func(Arrival)
	// script says what comes of the nth packet (from 0) to a target: an error of sending, and news.
	script func(p Packet, nth int) ([]news, error)

	mu        sync.Mutex
	sent      map[netip.Addr]int
	log       []sentPacket
	forgotten map[Ticket]bool
	closed    bool
	stall     time.Duration // of the next Send
}

// news is an arrival some time after the send.
type news struct {
	after time.Duration
	Arrival
}

type sentPacket struct {
	Packet
	at time.Time
}

func (w *fakeWire) Send(packets []Packet) {
	w.mu.Lock()
	stall := w.stall
	w.stall = 0
	w.mu.Unlock()
	time.Sleep(stall)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range packets {
		p := packets[i]
		nth := w.sent[p.Target]
		w.sent[p.Target]++
		all, err := w.script(p, nth)
		packets[i].Err = err
		if err != nil {
			continue
		}
		w.log = append(w.log, sentPacket{p, time.Now()})
		for _, n := range all {
			if n.Ticket == 0 {
				n.Ticket = p.Ticket
			}
			time.AfterFunc(n.after, func() { w.deliver(n.Arrival) })
		}
	}
}

func (w *fakeWire) deliver(a Arrival) {
	w.mu.Lock()
	closed := w.closed
	w.mu.Unlock()
	if closed {
		return
	}
	a.At = time.Now()
	w.sink(a)
}

func (w *fakeWire) Forget(tickets []Ticket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range tickets {
		w.forgotten[t] = true
	}
}

func (w *fakeWire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	return nil
}

// openFake opens a sweeper for ICMP on a fake wire.
func openFake(t testing.TB, cfg SweeperConfig, script func(p Packet, nth int) ([]news, error)) (*Sweeper, *fakeWire) {
	t.Helper()
	wire := &fakeWire{script: script, sent: map[netip.Addr]int{}, forgotten: map[Ticket]bool{}}
	cfg.OpenWire = func(_ Protocol, sink func(Arrival)) (Wire, error) {
		wire.sink = sink
		return wire, nil
	}
	s, err := OpenSweeper(cfg, []Protocol{ICMP})
	if err != nil {
		t.Fatal(err)
	}
	return s, wire
}

// replyAfter is the script of a space that answers alike everywhere.
func replyAfter(d time.Duration) func(Packet, int) ([]news, error) {
	return func(Packet, int) ([]news, error) { return []news{{after: d, Arrival: Arrival{Outcome: Reply}}}, nil }
}

// silent is the script of a dark space.
func silent(Packet, int) ([]news, error) { return nil, nil }

// lastByte is the last byte of an IPv4 address: what scripts tell targets apart by.
func lastByte(a netip.Addr) int { return int(a.As4()[3]) }

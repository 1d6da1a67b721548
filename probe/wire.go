package probe

import (
	"net/netip"
	"time"
)

// Ticket names one attempt of one probe: its sweep, service and attempt number. A wire carries it to the target and back
// (or keeps it beside the socket) and hands it in with whatever arrives. To the wire it is opaque.
type Ticket uint64

// Wire carries probes of one protocol kind to their targets and brings back what comes: the sweeper's smallest seam, with
// real sockets behind it, or a simulated space in process.
//
// A wire is concerned with proof, not with outcomes: it delivers an Arrival only when the packet proves to answer that
// ticket (keyed MAC, source, id, inner header, ack or question), as often as it comes. Timeouts, lateness, duplicates and
// retries are the sweeper's.
type Wire interface {
	// Send sends the packets in order and sets each Err: nil where the kernel took the packet. It does not block on the
	// network and does not keep the slice.
	Send(packets []Packet)
	// Forget tells the wire that nothing more is awaited for the tickets, so that it may free what it keeps for them.
	Forget(tickets []Ticket)
	// Close releases the sockets and waits for the wire's goroutines; nothing is delivered after it returns.
	Close() error
}

// Packet is one attempt to be sent.
type Packet struct {
	Ticket   Ticket
	Target   netip.Addr
	Protocol Protocol
	Err      error // why it was not sent: a local failure
}

// Arrival is proven news of a ticket. It is delivered by value, on the wire's goroutine or that of whoever reads the wire.
type Arrival struct {
	Ticket  Ticket
	Outcome Outcome       // Reply, Refused, Unreachable; or Unsent, where the failure to send surfaced late
	At      time.Time     // when it came, by the kernel's stamp, with a monotonic reading
	RTT     time.Duration // where the wire knows better than At less the send time (TCP_INFO, a stamp of departure); else 0
	Type    uint8         // of an ICMP error
	Code    uint8
	From    netip.Addr // the error's sender
	Err     error      // of an Unsent
}

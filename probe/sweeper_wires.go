package probe

import (
	"errors"
	"net/netip"
)

// awaitedProbe yields the tickets still awaited from a target by a protocol until yield says no more.
type awaitedProbe func(target netip.Addr, p Protocol, yield func(Ticket) bool)

// roomy is a Wire that can hold only so many attempts at once, like one with a file descriptor for each. The sweeper does
// not send more than Room packets until attempts have been answered, forgotten, or have outlived the timeout.
type roomy interface {
	// Room is how many more attempts the wire takes now.
	Room() int
}

// buffered is a Wire whose packets wait in buffers of this host.
type buffered interface {
	Buffers() buffers
}

// buffers is how a wire's buffers are.
type buffers struct {
	full    float64 // the share, 0 to 1, of the receive buffer that is in use; of two, the fuller one
	dropped uint64  // packets that have found it full
	held    bool    // whether packets that Send took have not left this host yet
}

// unreporting is a Wire some of whose sends fail without a word.
type unreporting interface {
	// Unreported is how many IPv6 packets, this wire's and others', have failed so.
	Unreported() uint64
}

// reading is a Wire that reads what comes to it whenever it gets to it.
type reading interface {
	// CaughtUp reports whether everything that had come when it was called has been delivered.
	CaughtUp() bool
}

// tended is a Wire that whoever sends much can read himself: to wake the wire's own goroutine for what a batch brought costs
// as much as the batch.
type tended interface {
	// Tend says that somebody reads the wire now, by Read, until he says that he does no more. There may be several.
	Tend(on bool)
	// Read delivers what has come.
	Read()
}

// hindsighted is a Wire that may learn only later that it did not send what it took.
type hindsighted interface {
	// Unsent is why an attempt that is still silent has not left this host; nil: it has, or nothing is known.
	Unsent(t Ticket) error
}

// errKept is why an attempt has not left this host: our kernel kept it back.
var errKept = errors.New("a firewall, queue or table of ours kept the packet back")

// familiar is a Wire that opens its sockets by address family.
type familiar interface {
	// Need opens the sockets of the families that are not open yet.
	Need(v4, v6 bool) error
}

// openWire opens the real sockets of a kind of protocol.
func openWire(kind Protocol, cfg *SweeperConfig, sink func(Arrival)) (Wire, error) {
	if cfg.OpenWire != nil {
		return cfg.OpenWire(kind, sink)
	}
	switch {
	case kind.IsTCP():
		return openTCP(cfg, sink)
	case kind.IsDNS():
		return openDNS(cfg, sink)
	}
	return openICMP(cfg, sink)
}

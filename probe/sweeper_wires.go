package probe

import "net/netip"

// awaitedProbe yields the tickets still awaited from a target by a protocol until yield says no more.
type awaitedProbe func(target netip.Addr, p Protocol, yield func(Ticket) bool)

// roomy is a Wire that can hold only so many attempts at once, like one with a file descriptor for each. The sweeper does
// not send more than Room packets until attempts have been answered, forgotten, or have outlived the timeout.
type roomy interface {
	// Room is how many more attempts the wire takes now.
	Room() int
}

// queued is a Wire whose receive queue can overflow.
type queued interface {
	// Queue is the share, 0 to 1, of the receive buffer that is full, and the packets dropped so far because it was.
	Queue() (full float64, dropped uint64)
}

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

package probe

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// SweeperConfig says how a Sweeper probes. The zero value is useful: the real clock, a timeout of 3 s,
// no retries and no caps, the best ICMP socket to be had, and the question ". NS" to name servers.
type SweeperConfig struct {
	Clock      *Clock        // nil: the real one
	Timeout    time.Duration // real; 0: 3 s; whole milliseconds
	LateWindow time.Duration // real, after the send; 0: 30 s
	Retries    int           // of usual services that stay silent, within the round

	// Rate caps the packets a second, on the clock, of all sweeps together; 0: no cap.
	Rate int
	// ExtraPer24 caps the ICMP retries, core passes and confirmations per second, on the clock, and /24 (IPv6: /48), by a
	// bucket of 32; those of TCP and DNS together are then capped at 2 a second. 0: no cap.
	ExtraPer24 float64

	Contact string   // in every ICMP payload, cut off after [MaxContact] bytes
	ICMP    ICMPMode // the kind of ICMP socket
	DNSName string   // the question; "": "."
	DNSType uint16   // 0: NS

	// OpenWire, where it is not nil, replaces the real sockets: it is called once for each kind of protocol, with ICMP,
	// DNS, or the first TCP protocol, and must hand what arrives to sink from its own goroutines.
	OpenWire func(kind Protocol, sink func(Arrival)) (Wire, error)

	Log *slog.Logger // nil: discard

	tally   *wireTally   // what the real wires count beside arrivals; nil in their own tests
	awaited awaitedProbe // how the ICMP wires find the probe an error quotes too little of
}

// MaxContact is the number of bytes of SweeperConfig.Contact that are sent.
const MaxContact = 256

const (
	defaultTimeout    = 3 * time.Second
	defaultLateWindow = 30 * time.Second
)

// withDefaults is the configuration with every zero value resolved.
func (c SweeperConfig) withDefaults() (SweeperConfig, error) {
	if c.Timeout < 0 || c.LateWindow < 0 || c.Retries < 0 || c.Rate < 0 || c.ExtraPer24 < 0 {
		return c, fmt.Errorf("open sweeper: a negative timeout, late window, retries, rate or extra rate")
	}
	if c.Clock == nil {
		c.Clock = &Clock{}
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	c.Timeout = max(c.Timeout.Truncate(time.Millisecond), time.Millisecond)
	if c.LateWindow == 0 {
		c.LateWindow = defaultLateWindow
	}
	c.LateWindow = max(c.LateWindow, c.Timeout)
	c.Retries = min(c.Retries, maxAttempts-1)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// ICMPMode is the kind of ICMP socket.
type ICMPMode uint8

const (
	ICMPAuto     ICMPMode = iota // raw where permitted, else datagram
	ICMPRaw                      // needs CAP_NET_RAW
	ICMPDatagram                 // unprivileged, where net.ipv4.ping_group_range permits
)

func (m ICMPMode) String() string {
	switch m {
	case ICMPAuto:
		return "auto"
	case ICMPRaw:
		return "raw"
	case ICMPDatagram:
		return "datagram"
	}
	return fmt.Sprintf("icmp mode(%d)", uint8(m))
}

// ParseICMPMode reads "auto", "raw" or "datagram".
func ParseICMPMode(s string) (ICMPMode, error) {
	for _, m := range []ICMPMode{ICMPAuto, ICMPRaw, ICMPDatagram} {
		if s == m.String() {
			return m, nil
		}
	}
	return 0, fmt.Errorf("icmp mode %q is none of auto, raw, datagram", s)
}

// wireTally is what the real wires of a sweeper count beside the arrivals they deliver. A nil tally counts nothing.
type wireTally struct {
	forgedPackets  atomic.Uint64
	malformed      atomic.Uint64
	receiveDropped atomic.Uint64
}

// forged counts a packet that claims to answer one of ours and fails its proof: MAC, source, id, ack or question.
func (t *wireTally) forged() {
	if t != nil {
		t.forgedPackets.Add(1)
	}
}

// mangled counts a packet that cannot be read as what it claims to be.
func (t *wireTally) mangled() {
	if t != nil {
		t.malformed.Add(1)
	}
}

// dropped counts packets that the kernel dropped because a receive buffer of ours was full.
func (t *wireTally) dropped(n uint64) {
	if t != nil {
		t.receiveDropped.Add(n)
	}
}

package probe

import (
	"sync"
	"time"
)

// spoilt tells the packets that found a raw IPv6 socket's buffer full from those that came with a wrong checksum, whoever sent
// them: the kernel counts both as the socket's drops (rawv6_rcv in net/ipv6/raw.c), and the latter also as Icmp6InCsumErrors of
// the network namespace. A raw socket of IPv4 is handed such packets, and a datagram socket never sees them.
type spoilt struct {
	stats discards

	mu       sync.Mutex // guards what follows
	at       time.Time  // of wrong
	wrong    uint64     // checksums, of the namespace
	dropped  uint64     // by the socket, at that time or later
	overflow uint64     // of those
}

// spoiltEvery is how often they are counted where nothing is dropped, so that old ones are not taken for why something is.
const spoiltEvery = 100 * time.Millisecond

func openSpoilt() *spoilt {
	c := &spoilt{stats: openDiscards()}
	c.overflown(0)
	return c
}

// overflown is how many of the packets that the socket has dropped by now found its buffer full.
func (c *spoilt) overflown(dropped uint64) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if dropped == c.dropped && now.Sub(c.at) < spoiltEvery {
		return c.overflow
	}
	wrong := c.stats.counter("Icmp6InCsumErrors")
	if more := dropped - c.dropped; more > wrong-c.wrong {
		c.overflow += more - (wrong - c.wrong)
	}
	c.at, c.wrong, c.dropped = now, wrong, dropped
	return c.overflow
}

func (c *spoilt) close() { c.stats.close() }

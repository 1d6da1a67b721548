package probe

import (
	"math"
	"net/netip"
	"sync"
	"time"
)

// bucket is a token bucket on one clock. The zero bucket, of rate 0, never refuses.
type bucket struct {
	rate  float64 // tokens a second
	size  float64
	level float64
	at    time.Time // of level
}

func newBucket(rate, size float64, now time.Time) bucket {
	return bucket{rate: rate, size: size, level: size, at: now}
}

func (b *bucket) fill(now time.Time) {
	if d := now.Sub(b.at); d > 0 {
		b.level = min(b.size, b.level+float64(b.rate*d.Seconds()))
		b.at = now
	}
}

// take takes a token, or reports that there is none.
func (b *bucket) take(now time.Time) bool {
	if b.rate == 0 {
		return true
	}
	b.fill(now)
	if b.level < 1 {
		return false
	}
	b.level--
	return true
}

// wait is how long it takes until there is a token, rounded up: a wait of nothing would not end where there is nearly one.
func (b *bucket) wait(now time.Time) time.Duration {
	if b.rate == 0 {
		return 0
	}
	b.fill(now)
	return time.Duration(math.Ceil(max(0, (1-b.level)/b.rate) * float64(time.Second)))
}

const (
	extraBurst   = 32                    // tokens in a /24's bucket of extras
	extraStreams = 2.0                   // a second and /24, of TCP and DNS together
	burstAtOnce  = 20 * time.Millisecond // of the overall rate, in real time
)

// limits holds the caps that all sweeps of a sweeper share. Time is the sweeper's clock.
type limits struct {
	mu      sync.Mutex
	overall bucket
	per24   float64
	extras  map[extraKey]*bucket
}

type extraKey struct {
	block netip.Prefix
	icmp  bool
}

func newLimits(cfg *SweeperConfig) *limits {
	rate := float64(cfg.Rate)
	size := max(1, rate*burstAtOnce.Seconds()*float64(cfg.Clock.Scale()))
	return &limits{overall: newBucket(rate, size, cfg.Clock.Now()), per24: cfg.ExtraPer24, extras: map[extraKey]*bucket{}}
}

// packet takes leave to send one packet, or says how long to wait for it.
func (l *limits) packet(now time.Time) (ok bool, wait time.Duration) {
	if l.overall.rate == 0 {
		return true, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.overall.take(now) {
		return true, 0
	}
	return false, l.overall.wait(now)
}

// refund gives back the leave of a packet that was not sent after all.
func (l *limits) refund() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.overall.level++
}

// extra takes leave to ask a target beyond its first probe of a full round, or says how long to wait for it.
func (l *limits) extra(now time.Time, target netip.Addr, p Protocol) (ok bool, wait time.Duration) {
	if l.per24 == 0 {
		return true, 0
	}
	rate := l.per24
	if !p.IsICMP() {
		rate = extraStreams
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := extraKey{groupOf(target), p.IsICMP()}
	b := l.extras[key]
	if b == nil {
		fresh := newBucket(rate, extraBurst, now)
		b = &fresh
		l.extras[key] = b
	}
	if b.take(now) {
		return true, 0
	}
	return false, b.wait(now)
}

// groupOf is the /24, or the /48, of an address.
func groupOf(a netip.Addr) netip.Prefix {
	size := planGroupBits
	if !a.Is4() {
		size = IPv6GroupBits
	}
	group, _ := a.Prefix(size) // size fits the family
	return group
}

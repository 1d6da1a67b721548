package probe

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// Sweeper holds the sockets of all sweeps of a process.
type Sweeper struct {
	cfg   SweeperConfig
	wires [kindDNS + 1]Wire
	mu    sync.Mutex
}

// Order is what one sweep is to probe.
type Order struct {
	Kind    Kind
	Space   Space
	Aims    []Aim
	Seed    uint64
	Span    time.Duration                       // on the clock; 0: unpaced, as fast as completeness allows
	Usual   func(a netip.Addr, p Protocol) bool // whether a silent service is asked again; nil: none is
	Vantage string
}

// OpenSweeper opens the sockets that the protocols need.
func OpenSweeper(cfg SweeperConfig, protocols []Protocol) (*Sweeper, error) {
	cfg, err := cfg.withDefaults()
	return &Sweeper{cfg: cfg}, err
}

// Close ends every sweep and releases the sockets.
func (s *Sweeper) Close() error { return nil }

// Start begins a sweep. Several may be under way at once on the same sockets.
func (s *Sweeper) Start(ctx context.Context, o Order) (*Sweep, error) { return &Sweep{}, nil }

// Stats is what was counted since the sweeper was opened.
func (s *Sweeper) Stats() SweeperStats { return SweeperStats{} }

// SweeperStats counts what became of packets since the sweeper was opened.
type SweeperStats struct{}

// Sweep is one sweep under way.
type Sweep struct{}

// Round is the round so far and the watermark: every observation still to come is seen after decided.
func (w *Sweep) Round() (r *Round, decided Instant) { return nil, 0 }

// Sent is closed when sending, retries included, has ended and every probe is decided but for late replies.
func (w *Sweep) Sent() <-chan struct{} { return nil }

// Done is closed when the late window is over too, or the context ended: Round is final.
func (w *Sweep) Done() <-chan struct{} { return nil }

// Progress is the number of probes sent, planned and answered so far.
func (w *Sweep) Progress() (sent, planned, answered int) { return 0, 0, 0 }

package probe

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"sync"
	"time"
)

// Sweeper holds the sockets of all sweeps of a process. Its methods may be called from any goroutine.
type Sweeper struct {
	cfg    SweeperConfig
	limits *limits
	strays strays
	tally  wireTally
	wires  [kindDNS + 1]Wire // by kind; nil: not opened

	mu     sync.RWMutex // guards what follows
	sweeps map[uint32]*Sweep
	past   map[Protocol]ProtocolStats // of sweeps that are over
	lastID uint32
	closed bool

	running sync.WaitGroup
}

// OpenSweeper opens the sockets that the protocols need. Those of IPv6 are opened by the first order that has a target of
// that family.
func OpenSweeper(cfg SweeperConfig, protocols []Protocol) (*Sweeper, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Sweeper{limits: newLimits(&cfg), sweeps: map[uint32]*Sweep{}, past: map[Protocol]ProtocolStats{}}
	cfg.tally = &s.tally
	cfg.awaited = s.awaited
	s.cfg = cfg
	// Ids start anywhere, so that what answers an earlier process is not taken for news of a sweep of this one.
	s.lastID = uint32(mix(uint64(time.Now().UnixNano()))) & maxSweepID
	for _, p := range protocols {
		if p.kind == 0 || s.wires[p.kind] != nil {
			continue
		}
		w, err := openWire(p, &s.cfg, func(a Arrival) { s.arrive(p.kind, a) })
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open sweeper for %s: %w", p, err), s.Close())
		}
		s.wires[p.kind] = w
	}
	return s, nil
}

// Close ends every sweep, waits for it, and releases the sockets.
func (s *Sweeper) Close() error {
	s.mu.Lock()
	s.closed = true
	for _, w := range s.sweeps {
		w.cancel()
	}
	s.mu.Unlock()
	s.running.Wait()
	var errs []error
	for kind, w := range s.wires {
		if w != nil {
			errs = append(errs, w.Close())
			s.wires[kind] = nil
		}
	}
	return errors.Join(errs...)
}

// Start begins a sweep. Several may be under way at once on the same sockets. When ctx ends first, the sweep ends too, and
// what was not decided by then is unsent.
func (s *Sweeper) Start(ctx context.Context, o Order) (*Sweep, error) {
	o, err := o.ready()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("start sweep: the sweeper is closed")
	}
	for _, aim := range o.Aims {
		if err := s.need(&o, aim.Protocol); err != nil {
			return nil, err
		}
	}
	if len(s.sweeps) == maxSweepID {
		return nil, fmt.Errorf("start sweep: %d sweeps are under way", len(s.sweeps))
	}
	id := s.lastID
	for taken := true; taken; _, taken = s.sweeps[id] {
		id = (id + 1) & maxSweepID
	}
	s.lastID = id
	ctx, cancel := context.WithCancel(ctx)
	w := newSweep(s, id, o, cancel)
	s.sweeps[id] = w
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		defer cancel()
		w.run(ctx)
	}()
	return w, nil
}

func (s *Sweeper) need(o *Order, p Protocol) error {
	if p.kind == 0 || s.wires[p.kind] == nil {
		return fmt.Errorf("start sweep: the sweeper was not opened for %s", p)
	}
	if f, ok := s.wires[p.kind].(familiar); ok {
		if err := f.Need(o.families(p.kind)); err != nil {
			return fmt.Errorf("start sweep of %s: %w", p, err)
		}
	}
	return nil
}

// Stats is what was counted since the sweeper was opened.
func (s *Sweeper) Stats() SweeperStats {
	stats := SweeperStats{
		Protocols:  map[Protocol]ProtocolStats{},
		Duplicates: s.strays.duplicates.Load(),
		Unknown:    s.strays.unknown.Load(),
		TooLate:    s.strays.tooLate.Load(),
		Moved:      s.strays.moved.Load(),
		Forged:     s.tally.forgedPackets.Load(),
		Malformed:  s.tally.malformed.Load(),
		Dropped:    s.tally.receiveDropped.Load(),
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for p, v := range s.past {
		v.Outcomes, v.Local = maps.Clone(v.Outcomes), maps.Clone(v.Local)
		stats.Protocols[p] = v
	}
	for _, w := range s.sweeps {
		w.addStats(stats.Protocols)
	}
	return stats
}

// arrive hands proven news to the sweep it belongs to.
func (s *Sweeper) arrive(kind protocolKind, a Arrival) {
	s.mu.RLock()
	w := s.sweeps[a.Ticket.sweep()]
	s.mu.RUnlock()
	if w == nil || !w.arrive(kind, a) {
		s.strays.unknown.Add(1)
	}
}

// drop forgets a sweep: what still comes for it is unknown.
func (s *Sweeper) drop(w *Sweep) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sweeps, w.id)
	w.addStats(s.past)
}

// awaited yields the tickets of every attempt that sweeps under way have made at a target, newest first.
func (s *Sweeper) awaited(target netip.Addr, p Protocol, yield func(Ticket) bool) {
	s.mu.RLock()
	sweeps := make([]*Sweep, 0, len(s.sweeps))
	for _, w := range s.sweeps {
		sweeps = append(sweeps, w)
	}
	s.mu.RUnlock()
	for _, w := range sweeps {
		for _, t := range w.tickets(target, p) {
			if !yield(t) {
				return
			}
		}
	}
}

package probe

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// icmpWire carries echo requests on one socket a family for the whole space.
type icmpWire struct {
	cfg  *SweeperConfig
	sink func(Arrival)

	mu      sync.RWMutex // guards what follows
	v4, v6  *icmpSocket
	tenders int
	discard discards // opened with a datagram socket of IPv6
}

func openICMP(cfg *SweeperConfig, sink func(Arrival)) (Wire, error) {
	w := &icmpWire{cfg: cfg, sink: sink}
	if err := w.Need(true, false); err != nil {
		return nil, err
	}
	return w, nil
}

// Need opens the sockets of the families that are not open yet.
func (w *icmpWire) Need(v4, v6 bool) (err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v4 && w.v4 == nil {
		if w.v4, err = openICMPSocket(w.cfg, false, w.sink); err != nil {
			return err
		}
	}
	if v6 && w.v6 == nil {
		if w.v6, err = openICMPSocket(w.cfg, true, w.sink); err != nil {
			return err
		}
		if !w.v6.raw {
			w.discard = openDiscards()
		}
	}
	return nil
}

// Send sends each run of packets of one family.
func (w *icmpWire) Send(packets []Packet) {
	w.mu.RLock()
	v4, v6 := w.v4, w.v6
	w.mu.RUnlock()
	for len(packets) > 0 {
		n, is4 := 1, packets[0].Target.Is4()
		for n < len(packets) && packets[n].Target.Is4() == is4 {
			n++
		}
		s := v6
		if is4 {
			s = v4
		}
		s.send(packets[:n])
		packets = packets[n:]
	}
}

// Tend stops or lets the sockets' own goroutines read. A socket that is opened meanwhile reads on its own.
func (w *icmpWire) Tend(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	others := w.tenders
	if on {
		w.tenders++
	} else {
		w.tenders--
		others = w.tenders
	}
	if others > 0 {
		return
	}
	for s := range w.sockets {
		s.hear(!on)
	}
}

// sockets yields those that are open. The caller holds mu.
func (w *icmpWire) sockets(yield func(*icmpSocket) bool) {
	for _, s := range []*icmpSocket{w.v4, w.v6} {
		if s != nil && !yield(s) {
			return
		}
	}
}

// Read delivers what has come to both sockets.
func (w *icmpWire) Read() {
	w.mu.RLock()
	v4, v6 := w.v4, w.v6
	w.mu.RUnlock()
	for _, s := range []*icmpSocket{v4, v6} {
		if s != nil {
			s.readSome()
		}
	}
}

// Forget does nothing: the packets carry what is to be known of them.
func (w *icmpWire) Forget([]Ticket) {}

// Buffers is how those of both sockets are.
func (w *icmpWire) Buffers() (b buffers) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for s := range w.sockets {
		others := b.dropped
		_ = s.fd.Control(func(fd uintptr) { b.add(int(fd)) }) // closed: nothing is in use
		if s.spoilt != nil {
			b.dropped = others + s.spoilt.overflown(b.dropped-others)
		}
	}
	return b
}

// CaughtUp reports whether all packets that have come have been delivered.
func (w *icmpWire) CaughtUp() bool {
	empty := w.Buffers().full == 0
	w.mu.RLock()
	defer w.mu.RUnlock()
	for s := range w.sockets {
		empty = empty && !s.busy.Load()
	}
	return empty
}

// Unreported is how many IPv6 packets the kernel has discarded without telling the socket that sent them.
func (w *icmpWire) Unreported() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.discard.count()
}

func (w *icmpWire) Close() error {
	w.cfg.tally.dropped(w.Buffers().dropped)
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs []error
	for s := range w.sockets {
		errs = append(errs, s.close())
	}
	w.v4, w.v6 = nil, nil
	w.discard.close()
	w.discard = discards{}
	return errors.Join(errs...)
}

// openICMPSocket opens the best socket of a family that the configured mode permits.
func openICMPSocket(cfg *SweeperConfig, v6 bool, sink func(Arrival)) (*icmpSocket, error) {
	var raw error
	if cfg.ICMP != ICMPDatagram {
		s, err := newICMPSocket(cfg, v6, true, sink)
		if err == nil || cfg.ICMP == ICMPRaw {
			return s, err
		}
		raw = err
	}
	s, err := newICMPSocket(cfg, v6, false, sink)
	if err != nil {
		return nil, errors.Join(raw, err)
	}
	return s, nil
}

// ICMPModes says which kinds of ICMP socket can be had here, by trying.
func ICMPModes() []ICMPSupport {
	var modes []ICMPSupport
	for _, mode := range []ICMPMode{ICMPRaw, ICMPDatagram} {
		for _, v6 := range []bool{false, true} {
			fd, err := icmpDescriptor(v6, mode == ICMPRaw)
			if err == nil {
				err = unix.Close(fd)
			}
			modes = append(modes, ICMPSupport{mode, v6, err})
		}
	}
	return modes
}

// icmpDescriptor opens the bare socket.
func icmpDescriptor(v6, raw bool) (int, error) {
	family, protocol, kind := unix.AF_INET, unix.IPPROTO_ICMP, unix.SOCK_DGRAM
	name := "ipv4"
	if v6 {
		family, protocol, name = unix.AF_INET6, unix.IPPROTO_ICMPV6, "ipv6"
	}
	mode := ICMPDatagram
	if raw {
		kind, mode = unix.SOCK_RAW, ICMPRaw
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		hint := "net.ipv4.ping_group_range does not hold this group"
		if raw {
			hint = "CAP_NET_RAW is missing"
		}
		if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) {
			hint = "the kernel lacks it"
		}
		return -1, fmt.Errorf("open %s %s icmp socket: %w (%s)", mode, name, err, hint)
	}
	return fd, nil
}

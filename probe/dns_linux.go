package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// dnsWire asks all addresses of a family from one UDP socket. An answer proves itself by its source, its id and the
// question that it repeats.
type dnsWire struct {
	cfg      *SweeperConfig
	sink     func(Arrival)
	question dnsQuestion
	opened   time.Time
	poller   *poller

	mu      sync.Mutex // guards what follows, and the order in which the sockets' errors are taken
	sockets [2]dnsSocket
	awaited dnsAwaited
	closed  bool
}

// dnsSocket is the socket of a family.
type dnsSocket struct {
	fd     int // -1: not opened
	stamps stampClock
	in     [512]byte // a header and a question; what follows is not looked at
	oob    [128]byte
}

const (
	dnsPort = 53

	dnsV4, dnsV6 = 0, 1 // places in dnsWire.sockets

	dnsReceiveBuffer = 4 << 20 // about 5,000 answers
	dnsReadBatch     = 64      // messages read before what they prove is handed on
)

// openDNS opens the wire of DNS, with the sockets to come when a family is needed.
func openDNS(cfg *SweeperConfig, sink func(Arrival)) (Wire, error) {
	question, err := packQuestion(cfg.DNSName, cfg.DNSType)
	if err != nil {
		return nil, fmt.Errorf("open dns: %w", err)
	}
	w := &dnsWire{cfg: cfg, sink: sink, question: question, opened: time.Now(), awaited: newDNSAwaited()}
	w.sockets[dnsV4].fd, w.sockets[dnsV6].fd = -1, -1
	if w.poller, err = startPoller(w.ready); err != nil {
		return nil, fmt.Errorf("open dns: %w", err)
	}
	return w, nil
}

// Need opens the sockets of the families that are not open yet.
func (w *dnsWire) Need(v4, v6 bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for family, needed := range [2]bool{dnsV4: v4, dnsV6: v6} {
		if !needed || w.sockets[family].fd >= 0 {
			continue
		}
		if err := w.open(family); err != nil {
			return fmt.Errorf("open dns socket: %w", err)
		}
	}
	return nil
}

func (w *dnsWire) open(family int) error {
	if w.closed {
		return net.ErrClosed
	}
	domain := unix.AF_INET
	if family == dnsV6 {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return err
	}
	_, buffer := enlargeReceiveBuffer(fd, dnsReceiveBuffer)
	_, stamps := stampArrivals(fd)
	err = errors.Join(
		buffer,
		reportErrors(fd, family == dnsV4),
		stamps,
		w.poller.watch(fd, unix.EPOLLIN, watchID{slot: int32(family)}),
	)
	if err != nil {
		_ = unix.Close(fd)
		return err
	}
	w.sockets[family].fd = fd
	w.sockets[family].stamps.read(time.Now())
	return nil
}

// Send asks.
func (w *dnsWire) Send(packets []Packet) {
	var news []Arrival // of errors that surfaced
	for i := range packets {
		news, packets[i].Err = w.send(packets[i], news[:0])
		w.deliver(news)
	}
}

// send asks one address, and adds to news what surfaced meanwhile about others.
func (w *dnsWire) send(p Packet, news []Arrival) ([]Arrival, error) {
	family := dnsV4
	if !p.Target.Is4() {
		family = dnsV6
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &w.sockets[family]
	if s.fd < 0 {
		if err := w.open(family); err != nil {
			return news, fmt.Errorf("ask %s: %w", p.Target, err)
		}
	}
	// Awaited before it is sent: a quick answer could race us.
	id, err := w.awaited.add(p.Target, p.Ticket, time.Since(w.opened))
	if err != nil {
		return news, err
	}
	m := w.question.message(p.Ticket)
	binary.BigEndian.PutUint16(m, id)
	to, _ := sockaddrOf(p.Target, dnsPort)
	// An error about an earlier question surfaces on whatever is sent next: then this one has not been sent. Where our own
	// firewall rejects it, there is one about this question itself, every time.
	for try := 0; ; try++ {
		if err = unix.Sendto(s.fd, m, 0, to); err == nil {
			return news, nil
		}
		if news = w.drain(s, news); try == surfacings || certain(err) {
			w.awaited.remove(p.Ticket)
			return news, fmt.Errorf("ask %s: %w", p.Target, err)
		}
	}
}

// drain takes what is in a socket's error queue. The caller holds the lock.
func (w *dnsWire) drain(s *dnsSocket, news []Arrival) []Arrival {
	for more := true; more; {
		var n icmpNotice
		var ok bool
		if n, ok, more = nextError(s.fd); ok {
			s.stamps.read(time.Now())
			at, _ := s.stamps.when(n.stamp)
			news = w.proveNotice(&n, at, news)
		}
	}
	return news
}

// proveNotice matches an ICMP error with the question that it quotes, or, where it quotes too little, with the last one
// to that address.
func (w *dnsWire) proveNotice(n *icmpNotice, at time.Time, news []Arrival) []Arrival {
	target := n.target.Addr()
	asked, ok := w.awaited.latest(target)
	if len(n.quoted) >= 2 {
		asked, ok = w.awaited.find(target, binary.BigEndian.Uint16(n.quoted))
	}
	if !ok || n.target.Port() != dnsPort {
		w.cfg.tally.forged()
		return news
	}
	a := n.arrival()
	w.date(&a, asked, at)
	return append(news, a)
}

// date makes an arrival that of a question.
func (w *dnsWire) date(a *Arrival, asked dnsAsked, at time.Time) {
	a.Ticket, a.At = asked.ticket, at
	a.RTT = max(at.Sub(w.opened)-asked.sent, 1)
}

// ready reads the sockets of which there is news.
func (w *dnsWire) ready(events []unix.EpollEvent) {
	news := make([]Arrival, 0, dnsReadBatch)
	w.mu.Lock()
	for _, e := range events {
		s := &w.sockets[e.Fd]
		if s.fd < 0 {
			continue
		}
		if e.Events&unix.EPOLLERR != 0 {
			news = w.drain(s, news)
		}
		news = w.read(s, news)
	}
	w.mu.Unlock()
	w.deliver(news)
}

func (w *dnsWire) deliver(news []Arrival) {
	for _, a := range news {
		w.sink(a)
	}
}

// read reads a batch of messages. The caller holds the lock.
func (w *dnsWire) read(s *dnsSocket, news []Arrival) []Arrival {
	s.stamps.read(time.Now())
	for range dnsReadBatch {
		n, oobn, _, from, err := unix.Recvmsg(s.fd, s.in[:], s.oob[:], unix.MSG_DONTWAIT)
		if err == unix.EAGAIN {
			break
		}
		if err != nil {
			continue // an error that surfaced: it waits in the queue
		}
		s.stamps.read(time.Now())
		at, _ := s.stamps.when(kernelStamp(s.oob[:oobn]))
		if asked, ok := w.prove(s.in[:n], addrPortOf(from)); ok {
			a := Arrival{Outcome: Reply}
			w.date(&a, asked, at)
			news = append(news, a)
		}
	}
	return news
}

// prove finds the question that a message answers, and counts the message if there is none.
func (w *dnsWire) prove(b []byte, from netip.AddrPort) (dnsAsked, bool) {
	id, err := w.question.answered(b)
	if errors.Is(err, errNotDNS) {
		w.cfg.tally.mangled()
		return dnsAsked{}, false
	}
	asked, ok := w.awaited.find(from.Addr(), id)
	if err != nil || !ok || from.Port() != dnsPort {
		w.cfg.tally.forged()
		return dnsAsked{}, false
	}
	return asked, true
}

// Forget awaits nothing more for tickets.
func (w *dnsWire) Forget(tickets []Ticket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range tickets {
		w.awaited.remove(t)
	}
}

// CaughtUp reports whether all answers that have come have been delivered.
func (w *dnsWire) CaughtUp() bool { return w.poller.idle() }

// Buffers is how those of both sockets are.
func (w *dnsWire) Buffers() (b buffers) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.sockets {
		if w.sockets[i].fd >= 0 {
			b.add(w.sockets[i].fd)
		}
	}
	return b
}

// Close releases the sockets and waits for the goroutine.
func (w *dnsWire) Close() error {
	dropped := w.Buffers().dropped
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	w.cfg.tally.dropped(dropped)
	for i := range w.sockets {
		if w.sockets[i].fd >= 0 {
			_ = unix.Close(w.sockets[i].fd)
			w.sockets[i].fd = -1
		}
	}
	w.mu.Unlock()
	return w.poller.Close()
}

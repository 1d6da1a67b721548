package probe

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// icmpSocket is one socket and the goroutine that reads it. The kernel writes the IP headers: to write them here (IP_HDRINCL)
// would cost a twentieth less, but then it looks up routes and IPsec policies as for another protocol, and fails sends for any
// ICMP error that comes (net/ipv4/raw.c).
type icmpSocket struct {
	cfg    *SweeperConfig
	sink   func(Arrival)
	v6     bool
	raw    bool
	echo   *echo
	file   *os.File // owns the descriptor, which the runtime's poller does not watch
	fd     syscall.RawConn
	poller *poller
	busy   atomic.Bool // messages may have been received that are not delivered
	spoilt *spoilt     // of a raw socket of IPv6

	readMu   sync.Mutex // guards what receiving needs
	in       *batch
	read     int // messages, by the latest call
	failure  unix.Errno
	receive  func(fd uintptr)
	dated    bool // the kernel says when a message came
	arrivals stampClock

	mu      sync.Mutex // guards what is being sent
	out     *batch     // requests, patched in place
	plain   bool       // the kernel knows no stamps of departure
	sending []Packet
	sendOut func(fd uintptr)

	errMu   sync.Mutex // guards what reads the error queue
	errBuf  []byte
	errOOB  []byte
	stamps  stampClock
	left    departures
	stamped atomic.Bool // whether stamps of departure may be in the error queue
}

// largestMessage is what is read of one: all of it, for its checksum to be verified.
const largestMessage = 1536

func newICMPSocket(cfg *SweeperConfig, v6, raw bool, sink func(Arrival)) (*icmpSocket, error) {
	fd, err := icmpDescriptor(v6, raw)
	if err != nil {
		return nil, err
	}
	s := &icmpSocket{cfg: cfg, sink: sink, v6: v6, raw: raw, file: os.NewFile(uintptr(fd), "icmp")}
	if err := s.open(fd); err != nil {
		return nil, errors.Join(err, s.file.Close())
	}
	return s, nil
}

func (s *icmpSocket) open(fd int) error {
	id, err := icmpID(fd, s.v6, s.raw)
	if err != nil {
		return err
	}
	s.echo = newEcho(s.v6, s.raw && !s.v6, id, s.cfg.Contact)
	if err := s.setOptions(fd); err != nil {
		return err
	}
	if s.fd, err = s.file.SyscallConn(); err != nil {
		return fmt.Errorf("open icmp socket: %w", err)
	}
	s.prepare()
	if s.poller, err = startPoller(s.ready); err != nil {
		return fmt.Errorf("open icmp socket: %w", err)
	}
	if err := s.poller.watch(fd, unix.EPOLLIN, watchID{}); err != nil {
		return errors.Join(err, s.poller.Close())
	}
	if s.raw && s.v6 {
		s.spoilt = openSpoilt()
	}
	return nil
}

// icmpID chooses the identifier of a raw socket, or has the kernel choose that of a datagram one.
func icmpID(fd int, v6, raw bool) (uint16, error) {
	if raw {
		var b [2]byte
		rand.Read(b[:]) // never fails
		return binary.BigEndian.Uint16(b[:]), nil
	}
	var any unix.Sockaddr = &unix.SockaddrInet4{}
	if v6 {
		any = &unix.SockaddrInet6{}
	}
	if err := unix.Bind(fd, any); err != nil {
		return 0, fmt.Errorf("bind icmp socket: %w", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, fmt.Errorf("name icmp socket: %w", err)
	}
	switch name := name.(type) {
	case *unix.SockaddrInet4:
		return uint16(name.Port), nil
	case *unix.SockaddrInet6:
		return uint16(name.Port), nil
	}
	return 0, fmt.Errorf("name icmp socket: a name of type %T", name)
}

// everyLink is what every link carries in one piece (RFC 791, 3.2). A packet no longer than that need never be fragmented: where
// the kernel knows, it saves the choice of an identification, which is then of no use (RFC 6864, 4.1).
const everyLink = 68

// setOptions sets the filter first, so that little foreign ICMP slips in before it.
func (s *icmpSocket) setOptions(fd int) error {
	if s.raw {
		if err := setFilter(fd, s.v6, s.echo.id); err != nil {
			return err
		}
	}
	if s.raw && s.v6 {
		if err := setTypes6(fd); err != nil {
			return err
		}
	}
	// Without it, a raw socket hides that a packet found no buffer: net/ipv4/raw.c.
	if err := reportErrors(fd, !s.v6); err != nil {
		return fmt.Errorf("set icmp socket's error queue: %w", err)
	}
	if !s.v6 && ipv4.HeaderLen+len(s.echo.request) <= everyLink {
		_ = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO) // where it is refused, it costs a little more
	}
	var err error
	if s.dated, err = stampArrivals(fd); err != nil {
		return fmt.Errorf("set icmp socket's time stamps: %w", err)
	}
	if _, err := enlargeReceiveBuffer(fd, wantedReceiveBuffer); err != nil {
		return fmt.Errorf("set icmp socket's receive buffer: %w", err)
	}
	return nil
}

// prepare allocates everything that sending and receiving need.
func (s *icmpSocket) prepare() {
	s.out = newBatch(batchLimit, len(s.echo.request), unix.CmsgSpace(4))
	for i, body := range s.out.bodies {
		copy(body, s.echo.request)
		askDeparture(s.out.oobs[i])
	}
	s.sendOut = func(fd uintptr) { s.sendBatch(int(fd), s.sending) } // made once: a closure made anew is an allocation
	s.in = newBatch(batchLimit, largestMessage, 64)
	s.receive = func(fd uintptr) { s.read, s.failure = s.in.receive(int(fd)) }
	s.arrivals.read(time.Now())
	s.errBuf, s.errOOB = make([]byte, largestMessage), make([]byte, 512)
}

// send sends packets of the socket's family, in batches.
func (s *icmpSocket) send(packets []Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(packets) > 0 {
		n := min(len(packets), batchLimit)
		s.sending = packets[:n]
		if s.fd.Control(s.sendOut) != nil {
			for i := range s.sending {
				s.sending[i].Err = net.ErrClosed
			}
		}
		packets = packets[n:]
	}
}

// surfacings is how often a failed send is repeated, because the error may be a remote one, about another packet, that
// surfaced on it.
const surfacings = 4

func (s *icmpSocket) sendBatch(fd int, packets []Packet) {
	exact := len(packets) < stampLimit && !s.plain
	if exact {
		s.stamped.Store(true)
	}
	for i := range packets {
		packets[i].Err = nil
		s.out.control(i, exact)
		s.echo.write(s.out.bodies[i], packets[i].Target, packets[i].Ticket)
		s.out.address(i, packets[i].Target)
	}
	strikes := 0
	for i := 0; i < len(packets); {
		n, err := s.out.send(fd, i, len(packets))
		if i += n; i == len(packets) {
			return
		}
		s.drainErrors()
		if n > 0 {
			strikes = 0
			continue
		}
		if exact && errors.Is(err, unix.EINVAL) { // before Linux 4.6, and where another kernel takes its place
			exact, s.plain = false, true
			for k := i; k < len(packets); k++ {
				s.out.control(k, false)
			}
			continue
		}
		if strikes++; strikes > surfacings || certain(err) {
			packets[i].Err = err
			i++
			strikes = 0
		}
	}
}

// certain reports whether a send error can only be about the packet at hand: no remote error surfaces as these.
func certain(err error) bool {
	return passing(err) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) || errors.Is(err, net.ErrClosed)
}

func (s *icmpSocket) close() error {
	if s.spoilt != nil {
		s.spoilt.close()
	}
	return errors.Join(s.poller.Close(), s.file.Close())
}

// hear says whether the socket's goroutine is to be woken for what comes. Errors wake it in any case; and so does all where the
// kernel does not stamp it, for then a message came when it is read.
func (s *icmpSocket) hear(on bool) {
	if !s.dated {
		return
	}
	events := uint32(0)
	if on {
		events = unix.EPOLLIN
	}
	_ = s.fd.Control(func(fd uintptr) { s.poller.change(int(fd), events, watchID{}) }) // closed: nothing comes
}

// falseAlarm is how long the goroutine waits where it was woken and finds nothing.
const falseAlarm = time.Millisecond

// ready is told of what came, and of errors.
func (s *icmpSocket) ready(events []unix.EpollEvent) {
	read := s.readSome()
	if events[0].Events&unix.EPOLLERR != 0 {
		read += s.readErrors()
	}
	if read == 0 {
		time.Sleep(falseAlarm) // others have read it; or an error has no message, and the poller would tell of it at once
	}
}

// readCalls is after how many system calls whoever reads has other things to do: more may come all the while.
const readCalls = 32

// readSome delivers what has come, and says how many messages and errors that were.
func (s *icmpSocket) readSome() (n int) {
	s.readMu.Lock()
	defer s.readMu.Unlock()
	s.busy.Store(true)
	defer s.busy.Store(false)
	for range readCalls {
		if closed := s.fd.Control(s.receive); closed != nil || s.failure == unix.EAGAIN {
			return n
		}
		if s.failure != 0 { // an ICMP error surfaced: it waits in the queue
			drained := s.drainErrors()
			if n += drained; drained == 0 {
				return n
			}
			continue
		}
		if s.stamped.Load() {
			s.drainErrors() // of what was received, the departures are there
		}
		s.arrivals.read(time.Now())
		for i := range s.read {
			b, oob, from, whole := s.in.message(i)
			s.deliver(b, oob, from, whole, &s.arrivals)
		}
		if n += s.read; s.read < batchLimit {
			return n
		}
	}
	return n
}

// readErrors delivers what the error queue holds, and says how much that was.
func (s *icmpSocket) readErrors() int {
	s.readMu.Lock()
	defer s.readMu.Unlock()
	s.busy.Store(true)
	defer s.busy.Store(false)
	return s.drainErrors()
}

// deliver parses a message, that came from an address and was received whole, and hands in what it proves.
func (s *icmpSocket) deliver(b, oob []byte, from netip.Addr, whole bool, stamps *stampClock) {
	if whole && s.raw && !s.v6 {
		b, from, whole = inPacket(b)
	}
	if !whole {
		s.cfg.tally.mangled()
		return
	}
	a, v := s.echo.parse(b, from, s.cfg.awaited)
	at, exact := stamps.when(kernelStamp(oob))
	if exact && v == proven {
		a.RTT = s.sinceLeft(a.Ticket, at)
	}
	s.settle(a, v, at)
}

func (s *icmpSocket) settle(a Arrival, v verdict, at time.Time) {
	switch v {
	case proven:
		a.At = at
		s.sink(a)
	case forgery:
		s.cfg.tally.forged()
	case mangled:
		s.cfg.tally.mangled()
	}
}

// inPacket is the ICMP part of an IPv4 packet, which is what a raw socket delivers, and its source.
func inPacket(b []byte) (message []byte, from netip.Addr, ok bool) {
	if len(b) < 20 {
		return nil, from, false
	}
	n := int(b[0]&0x0f) * 4
	if n < 20 || len(b) < n {
		return nil, from, false
	}
	return b[n:], netip.AddrFrom4([4]byte(b[12:16])), true
}

// drainErrors empties the socket's error queue, and says how many entries it had. A datagram socket learns of ICMP errors only there; a raw one reads them
// as packets, with all they quote.
func (s *icmpSocket) drainErrors() (entries int) {
	s.errMu.Lock()
	defer s.errMu.Unlock()
	_ = s.fd.Control(func(fd uintptr) { // closed: the queue is gone
		for {
			n, oobn, _, about, err := unix.Recvmsg(int(fd), s.errBuf, s.errOOB, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err != nil {
				return
			}
			entries++
			s.queued(s.errBuf[:n], s.errOOB[:oobn], about)
		}
	})
	return entries
}

// queued reads an entry of the error queue: when a packet of ours left; or an ICMP error, with the request as far as it
// was quoted and whom it was sent to.
func (s *icmpSocket) queued(quote, oob []byte, about unix.Sockaddr) {
	origin, a, ok := extendedError(oob)
	if !ok {
		return
	}
	if origin == unix.SO_EE_ORIGIN_TIMESTAMPING {
		s.departed(quote, oob)
		return
	}
	target, known := sockaddrIP(about)
	if s.raw || !known || origin == unix.SO_EE_ORIGIN_LOCAL || !s.echo.isError(a.Type) {
		return
	}
	t, v := s.echo.proveInner(quote, target, s.cfg.awaited)
	a.Ticket, a.Outcome = t, Unreachable
	s.settle(a, v, time.Now())
}

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

	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// icmpSocket is one socket and the goroutine that reads it.
type icmpSocket struct {
	cfg  *SweeperConfig
	sink func(Arrival)
	v6   bool
	raw  bool
	echo *echo
	conn net.PacketConn
	fd   syscall.RawConn
	read sync.WaitGroup
	busy atomic.Bool // messages may have been received that are not delivered

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
	file := os.NewFile(uintptr(fd), "icmp")
	defer file.Close()
	id, err := icmpID(fd, v6, raw)
	if err != nil {
		return nil, err
	}
	s := &icmpSocket{cfg: cfg, sink: sink, v6: v6, raw: raw, echo: newEcho(v6, raw && !v6, id, cfg.Contact)}
	if err := s.setOptions(fd); err != nil {
		return nil, err
	}
	if s.conn, err = net.FilePacketConn(file); err != nil {
		return nil, fmt.Errorf("open icmp socket: %w", err)
	}
	if err := s.wrap(); err != nil {
		return nil, errors.Join(err, s.conn.Close())
	}
	s.prepare()
	s.read.Add(1)
	go s.receive()
	return s, nil
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

// setOptions sets the filter first, so that little foreign ICMP slips in before it.
func (s *icmpSocket) setOptions(fd int) error {
	if s.raw {
		if err := setFilter(fd, s.v6, s.echo.id); err != nil {
			return err
		}
	}
	// Without it, a raw socket hides that a packet found no buffer: net/ipv4/raw.c.
	if err := reportErrors(fd, !s.v6); err != nil {
		return fmt.Errorf("set icmp socket's error queue: %w", err)
	}
	if err := stampArrivals(fd); err != nil {
		return fmt.Errorf("set icmp socket's time stamps: %w", err)
	}
	if _, err := enlargeReceiveBuffer(fd, wantedReceiveBuffer); err != nil {
		return fmt.Errorf("set icmp socket's receive buffer: %w", err)
	}
	return nil
}

func (s *icmpSocket) wrap() error {
	if s.v6 && s.raw {
		var f ipv6.ICMPFilter
		f.SetAll(true)
		for kind := ipv6.ICMPType(unreachable6); kind <= ipv6.ICMPType(badParameters6); kind++ {
			f.Accept(kind)
		}
		f.Accept(ipv6.ICMPTypeEchoReply)
		if err := ipv6.NewPacketConn(s.conn).SetICMPFilter(&f); err != nil {
			return fmt.Errorf("set icmp socket's filter: %w", err)
		}
	}
	var err error
	if s.fd, err = s.conn.(syscall.Conn).SyscallConn(); err != nil {
		return fmt.Errorf("open icmp socket: %w", err)
	}
	return nil
}

// prepare allocates everything that sending needs.
func (s *icmpSocket) prepare() {
	s.out = newBatch(batchLimit, len(s.echo.request), unix.CmsgSpace(4))
	for i, body := range s.out.bodies {
		copy(body, s.echo.request)
		askDeparture(s.out.oobs[i])
	}
	s.sendOut = func(fd uintptr) { s.sendBatch(int(fd), s.sending) } // made once: a closure made anew is an allocation
	s.errBuf, s.errOOB = make([]byte, largestMessage), make([]byte, 512)
}

// send sends packets of the socket's family, in batches.
func (s *icmpSocket) send(packets []Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(packets) > 0 {
		n := min(len(packets), batchLimit)
		s.sending = packets[:n]
		if closed := s.fd.Control(s.sendOut); closed != nil {
			for i := range s.sending {
				s.sending[i].Err = closed
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
	err := s.conn.Close()
	s.read.Wait()
	return err
}

// receive reads until the socket is closed.
func (s *icmpSocket) receive() {
	defer s.read.Done()
	in := newBatch(batchLimit, largestMessage, 64)
	var stamps stampClock
	var n int
	var failure unix.Errno
	stamps.read(time.Now())
	read := func(fd uintptr) bool {
		s.busy.Store(true)
		n, failure = in.receive(int(fd))
		if s.stamped.Load() {
			s.drainErrors() // of what was received, the departures are there
		}
		s.busy.Store(failure != unix.EAGAIN)
		return failure != unix.EAGAIN
	}
	for failures := 0; ; s.busy.Store(false) {
		if err := s.fd.Read(read); errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil || failure != 0 {
			// An ICMP error surfaced: it waits in the queue. Or, where we can neither read nor write, the runtime says that
			// there are errors alone, and says so until there is more.
			s.drainErrors()
			if failures++; err != nil || failures > 1000 {
				time.Sleep(time.Millisecond)
			}
			continue
		}
		failures = 0
		stamps.read(time.Now())
		for i := range n {
			b, oob, from, whole := in.message(i)
			s.deliver(b, oob, from, whole, &stamps)
		}
	}
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

// drainErrors empties the socket's error queue. A datagram socket learns of ICMP errors only there; a raw one reads them
// as packets, with all they quote.
func (s *icmpSocket) drainErrors() {
	s.errMu.Lock()
	defer s.errMu.Unlock()
	s.fd.Control(func(fd uintptr) {
		for {
			n, oobn, _, about, err := unix.Recvmsg(int(fd), s.errBuf, s.errOOB, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err != nil {
				return
			}
			s.queued(s.errBuf[:n], s.errOOB[:oobn], about)
		}
	})
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

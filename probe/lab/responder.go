package lab

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"brownout/probe"
)

// largest is the size of the largest packet that is read or written: the MTU of Ethernet, and more than a TUN device has.
const largest = 2048

// responder answers the packets that a device hands it.
type responder struct {
	world *World
	clock *probe.Clock
	wire  io.ReadWriteCloser // reads and writes one IPv4 packet a call
	later *delayer[*[]byte]
	pool  sync.Pool // of *[]byte

	in, out, ignored, failed atomic.Uint64
	scratch                  [largest]byte // the packet being built; of the reading goroutine
}

// Stats is what a Lab counted, in packets.
type Stats struct {
	In      uint64 // read
	Out     uint64 // written
	Ignored uint64 // read, and no probe nor part of a connection
	Failed  uint64 // that could not be written
}

func newResponder(w *World, clock *probe.Clock, wire io.ReadWriteCloser) *responder {
	r := &responder{world: w, clock: clock, wire: wire}
	r.pool.New = func() any { return new([]byte) }
	r.later = newDelayer(func(p *[]byte) {
		r.write(*p)
		r.pool.Put(p)
	})
	return r
}

// run answers until the wire is closed.
func (r *responder) run() error {
	defer r.later.stop()
	var buf [largest]byte
	for {
		n, err := r.wire.Read(buf[:])
		if errors.Is(err, os.ErrClosed) || errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.in.Add(1)
		if !r.handle(buf[:n]) {
			r.ignored.Add(1)
		}
	}
}

// handle answers one packet; it reports whether the packet was meant for us.
func (r *responder) handle(b []byte) bool {
	d, ok := readDatagram(b)
	if !ok {
		return false
	}
	now := probe.InstantOf(r.clock.Now())
	if d.protocol() == protocolTCP && !isSYN(d) {
		return r.follow(d, now)
	}
	p, nonce, ok := probeOf(d)
	if ok {
		r.answer(d, r.world.Respond(now, d.target(), p, nonce))
	}
	return ok
}

// probeOf is what a packet asks, and a number that tells it from the next.
func probeOf(d datagram) (probe.Protocol, uint64, bool) {
	b := d.payload()
	switch d.protocol() {
	case protocolICMP:
		if len(b) < icmpLen || b[0] != echoRequest || b[1] != 0 {
			return probe.Protocol{}, 0, false
		}
		nonce := uint64(binary.BigEndian.Uint32(b[4:]))
		if len(b) >= icmpLen+8 { // the rest of what makes an echo request unique: a ticket or a time, by custom
			nonce = mix(nonce) ^ binary.BigEndian.Uint64(b[8:])
		}
		return probe.ICMP, nonce, true
	case protocolTCP:
		if len(b) < tcpLen || binary.BigEndian.Uint16(b[2:]) == 0 {
			return probe.Protocol{}, 0, false
		}
		nonce := uint64(binary.BigEndian.Uint32(b[4:]))<<16 | uint64(binary.BigEndian.Uint16(b))
		return probe.TCP(binary.BigEndian.Uint16(b[2:])), nonce, true
	case protocolUDP:
		if len(b) < udpLen+12 || binary.BigEndian.Uint16(b[2:]) != probe.DNS.Port() {
			return probe.Protocol{}, 0, false
		}
		nonce := uint64(binary.BigEndian.Uint16(b))<<16 | uint64(binary.BigEndian.Uint16(b[udpLen:]))
		return probe.DNS, nonce, true
	}
	return probe.Protocol{}, 0, false
}

// answer sends what comes back from a probe.
func (r *responder) answer(d datagram, resp Response) {
	if resp.Forged != Genuine {
		r.send(r.build(d, Response{Kind: Answer}, lieOf(d, resp.Forged)), resp.RTT)
	}
	var p datagram
	switch resp.Kind {
	case None:
		return
	case Unreachable:
		p = r.icmpError(d, resp.From, resp.Type, resp.Code)
	default:
		p = r.build(d, resp, lie{from: d.target()})
	}
	if len(p) == 0 {
		return
	}
	if resp.Corrupted {
		p[len(p)-1] ^= 0x5a
	}
	for range 1 + int(resp.Duplicates) {
		r.send(p, resp.RTT)
	}
}

// build makes the packet that answers d; none where d cannot be answered.
func (r *responder) build(d datagram, resp Response, l lie) datagram {
	switch d.protocol() {
	case protocolICMP:
		return r.echoReply(d, l)
	case protocolTCP:
		return r.handshake(d, resp.Kind, l)
	}
	if resp.Kind == Refusal {
		return r.icmpError(d, l.from, destinationUnreachable, codePort)
	}
	return r.dnsReply(d, resp.Rcode, l)
}

// lie is how an answer differs from a true one. From is always set.
type lie struct {
	from  netip.Addr
	id    uint16 // flips bits of the id or port
	proof byte   // flips bits of what proves the answer
}

func lieOf(d datagram, f Forgery) lie {
	l := lie{from: d.target()}
	switch f {
	case WrongProof:
		l.proof = 0x5a
	case WrongID:
		l.id = 0x5a5a
	case WrongSource:
		b := l.from.As4()
		b[3] ^= 1
		l.from = netip.AddrFrom4(b)
	}
	return l
}

// send writes a packet after a delay; it does not keep it.
func (r *responder) send(p datagram, delay time.Duration) {
	if len(p) == 0 {
		return
	}
	if delay <= 0 {
		r.write(p)
		return
	}
	kept := r.pool.Get().(*[]byte)
	*kept = append((*kept)[:0], p...)
	r.later.add(time.Now().Add(delay), kept)
}

func (r *responder) write(p []byte) {
	if _, err := r.wire.Write(p); err != nil {
		r.failed.Add(1)
		return
	}
	r.out.Add(1)
}

func (r *responder) stats() Stats {
	return Stats{In: r.in.Load(), Out: r.out.Load(), Ignored: r.ignored.Load(), Failed: r.failed.Load()}
}

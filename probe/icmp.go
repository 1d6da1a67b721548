package probe

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"

	"github.com/dchest/siphash"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// An echo request of ours: the header of RFC 792 or RFC 4443, 8 bytes of ticket, 8 bytes of MAC, the contact. The MAC is
// SipHash-2-4 (Aumasson & Bernstein, INDOCRYPT 2012) over target and ticket under a key of this process, so that nobody
// else's packet, nor an answer to another round, credits a probe. The sequence number is the low 16 bits of the MAC: what
// a router that quotes no more than RFC 792 asks for (8 bytes past the IP header) still shows of it.
const (
	icmpHeaderLen = 8
	proofLen      = 16
	echoLen       = icmpHeaderLen + proofLen
)

// Message types of RFC 792 and RFC 4443 as bytes. The errors of ICMPv6 that matter lie between the two named.
const (
	echoReply4     = uint8(ipv4.ICMPTypeEchoReply)
	echoRequest4   = uint8(ipv4.ICMPTypeEcho)
	unreachable4   = uint8(ipv4.ICMPTypeDestinationUnreachable)
	timeExceeded4  = uint8(ipv4.ICMPTypeTimeExceeded)
	badParameters4 = uint8(ipv4.ICMPTypeParameterProblem)
	echoReply6     = uint8(ipv6.ICMPTypeEchoReply)
	echoRequest6   = uint8(ipv6.ICMPTypeEchoRequest)
	unreachable6   = uint8(ipv6.ICMPTypeDestinationUnreachable)
	badParameters6 = uint8(ipv6.ICMPTypeParameterProblem)

	protocolICMP4, protocolICMP6 = 1, 58
)

// echo makes and proves the echo packets of one socket.
type echo struct {
	v6       bool
	id       uint16
	checksum bool // ours to compute and to verify: IPv4 raw sockets
	k0, k1   uint64
	request  []byte // template: everything but sequence number, ticket, MAC and checksum
	sum      uint32 // of the template
}

func newEcho(v6, checksum bool, id uint16, contact string) *echo {
	var key [16]byte
	rand.Read(key[:]) // never fails, says its documentation
	e := &echo{v6: v6, id: id, checksum: checksum,
		k0: binary.LittleEndian.Uint64(key[:8]), k1: binary.LittleEndian.Uint64(key[8:])}
	contact = contact[:min(len(contact), MaxContact)]
	e.request = make([]byte, echoLen, echoLen+len(contact))
	e.request[0] = echoRequest4
	if v6 {
		e.request[0] = echoRequest6
	}
	binary.BigEndian.PutUint16(e.request[4:], id)
	e.request = append(e.request, contact...)
	e.sum = onesSum(0, e.request)
	return e
}

// mac is the proof that we sent a ticket to a target.
func (e *echo) mac(target netip.Addr, t Ticket) uint64 {
	var b [24]byte
	a := target.As16()
	copy(b[:16], a[:])
	binary.BigEndian.PutUint64(b[16:], uint64(t))
	return siphash.Hash(e.k0, e.k1, b[:])
}

// write patches a request into b, which holds a copy of the template. It does not allocate.
func (e *echo) write(b []byte, target netip.Addr, t Ticket) {
	mac := e.mac(target, t)
	binary.BigEndian.PutUint16(b[6:], uint16(mac))
	binary.BigEndian.PutUint64(b[8:], uint64(t))
	binary.BigEndian.PutUint64(b[16:], mac)
	if e.checksum {
		sum := onesSum(e.sum+uint32(uint16(mac)), b[icmpHeaderLen:echoLen])
		binary.BigEndian.PutUint16(b[2:], ^fold(sum))
	}
}

// verdict is what an ICMP message turned out to be.
type verdict uint8

const (
	proven  verdict = iota
	foreign         // not about an echo request of ours, and not claiming to be
	forgery         // claims to be, and fails its proof
	mangled         // cannot be read
)

// parse reads an ICMP message from a source: an echo reply, or an error about a request of ours. awaited resolves errors
// that quote too little; it may be nil.
func (e *echo) parse(b []byte, from netip.Addr, awaited awaitedProbe) (Arrival, verdict) {
	if len(b) < icmpHeaderLen || e.checksum && fold(onesSum(0, b)) != 0xffff {
		return Arrival{}, mangled
	}
	switch {
	case e.isReply(b[0]):
		t, v := e.proveReply(b, from)
		return Arrival{Ticket: t, Outcome: Reply}, v
	case e.isError(b[0]):
		t, v := e.proveQuote(b[icmpHeaderLen:], awaited)
		return Arrival{Ticket: t, Outcome: Unreachable, Type: b[0], Code: b[1], From: from}, v
	}
	return Arrival{}, foreign
}

func (e *echo) isReply(kind uint8) bool {
	return kind == echoReply4 && !e.v6 || kind == echoReply6 && e.v6
}

func (e *echo) isError(kind uint8) bool {
	if e.v6 {
		return kind >= unreachable6 && kind <= badParameters6
	}
	return kind == unreachable4 || kind == timeExceeded4 || kind == badParameters4
}

// proveReply checks code, id, length, and the MAC over the very address that answers.
func (e *echo) proveReply(b []byte, from netip.Addr) (Ticket, verdict) {
	if b[1] != 0 || binary.BigEndian.Uint16(b[4:]) != e.id {
		return 0, forgery
	}
	if len(b) < echoLen {
		return 0, mangled
	}
	return e.proveEcho(b, from)
}

// proveEcho checks the ticket, MAC and sequence number of an echo message against the target it was sent to.
func (e *echo) proveEcho(b []byte, target netip.Addr) (Ticket, verdict) {
	t := Ticket(binary.BigEndian.Uint64(b[8:]))
	mac := e.mac(target, t)
	if binary.BigEndian.Uint64(b[16:]) != mac || binary.BigEndian.Uint16(b[6:]) != uint16(mac) {
		return 0, forgery
	}
	return t, proven
}

// proveQuote checks the IP packet that an error quotes.
func (e *echo) proveQuote(b []byte, awaited awaitedProbe) (Ticket, verdict) {
	target, inner, ok := e.quoted(b)
	if !ok {
		return 0, mangled
	}
	return e.proveInner(inner, target, awaited)
}

// quoted takes an IP header apart: its destination, and what follows it where that is ICMP.
func (e *echo) quoted(b []byte) (target netip.Addr, inner []byte, ok bool) {
	if e.v6 {
		if len(b) < 40 || b[0]>>4 != 6 || b[6] != protocolICMP6 {
			return netip.Addr{}, nil, false
		}
		return netip.AddrFrom16([16]byte(b[24:40])), b[40:], true
	}
	if len(b) < 20 || b[0]>>4 != 4 || b[9] != protocolICMP4 {
		return netip.Addr{}, nil, false
	}
	n := int(b[0]&0x0f) * 4
	if n < 20 || len(b) < n {
		return netip.Addr{}, nil, false
	}
	return netip.AddrFrom4([4]byte(b[16:20])), b[n:], true
}

// proveInner checks the request that an error quotes, as far as it quotes it.
func (e *echo) proveInner(b []byte, target netip.Addr, awaited awaitedProbe) (Ticket, verdict) {
	if len(b) < icmpHeaderLen {
		return 0, mangled
	}
	if b[0] != e.request[0] || b[1] != 0 || binary.BigEndian.Uint16(b[4:]) != e.id {
		return 0, forgery
	}
	if len(b) >= echoLen {
		return e.proveEcho(b, target)
	}
	return e.resolve(target, binary.BigEndian.Uint16(b[6:]), awaited)
}

// resolve finds the one awaited attempt that has the sequence number.
func (e *echo) resolve(target netip.Addr, seq uint16, awaited awaitedProbe) (Ticket, verdict) {
	var found Ticket
	n := 0
	if awaited != nil {
		awaited(target, ICMP, func(t Ticket) bool {
			if uint16(e.mac(target, t)) == seq {
				found = t
				n++
			}
			return true
		})
	}
	if n != 1 {
		return 0, forgery
	}
	return found, proven
}

// onesSum adds b to a one's complement sum of 16-bit words (RFC 1071), unfolded. Up to 64 KiB may be added.
func onesSum(sum uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

func fold(sum uint32) uint16 {
	sum = sum>>16 + sum&0xffff
	return uint16(sum + sum>>16)
}

// ICMPSupport says whether a kind of ICMP socket can be had here.
type ICMPSupport struct {
	Mode ICMPMode
	IPv6 bool
	Err  error // nil: it can
}

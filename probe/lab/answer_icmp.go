package lab

import (
	"encoding/binary"
	"net/netip"
)

// Message types of RFC 792.
const (
	echoReply   = 0
	echoRequest = 8
)

// provenAt is where, in an echo message of the sweeper's, the proof begins.
const provenAt = 16

// echoReply turns an echo request round.
func (r *responder) echoReply(d datagram, l lie) datagram {
	request := d.payload()
	reply := newDatagram(r.scratch[:], l.from, d.source(), protocolICMP, len(request))
	b := reply.payload()
	copy(b, request)
	b[0] = echoReply
	binary.BigEndian.PutUint16(b[4:], binary.BigEndian.Uint16(b[4:])^l.id)
	b[min(provenAt, len(b)-1)] ^= l.proof
	reply.sealICMP()
	return reply
}

// icmpError reports that a packet did not get through. Half of the routers quote 8 bytes past the IP header, as RFC 792
// has it, the others all that the 576 bytes of RFC 1812 hold.
func (r *responder) icmpError(d datagram, from netip.Addr, kind, code uint8) datagram {
	quote := min(len(d), 576-ipLen-icmpLen)
	if low(from)&1 == 1 {
		quote = min(quote, d.headLen()+8)
	}
	p := newDatagram(r.scratch[:], from, d.source(), protocolICMP, icmpLen+quote)
	b := p.payload()
	clear(b[:icmpLen])
	b[0], b[1] = kind, code
	copy(b[icmpLen:], d[:quote])
	p.sealICMP()
	return p
}

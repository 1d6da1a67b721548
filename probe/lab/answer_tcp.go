package lab

import (
	"encoding/binary"

	"brownout/probe"
)

// Control bits of RFC 9293.
const (
	tcpFIN = 1 << iota
	tcpSYN
	tcpRST
	tcpPSH
	tcpACK
)

// isSYN reports whether a TCP segment asks for a connection.
func isSYN(d datagram) bool {
	b := d.payload()
	return len(b) >= tcpLen && b[13]&(tcpSYN|tcpACK|tcpRST|tcpFIN) == tcpSYN
}

// handshake accepts or refuses a connection. What we send of a connection follows from what the client sends: there is no
// state to keep.
func (r *responder) handshake(d datagram, kind Kind, l lie) datagram {
	b := d.payload()
	seq := binary.BigEndian.Uint32(b[4:])
	ack := (seq + 1) ^ uint32(l.proof)<<8
	if kind == Refusal {
		return r.segment(d, l, 0, ack, tcpRST|tcpACK)
	}
	return r.segment(d, l, uint32(mix(uint64(seq))), ack, tcpSYN|tcpACK)
}

// follow acknowledges what comes on a connection, and closes it when the client does. The path's noise is not laid on it.
func (r *responder) follow(d datagram, now probe.Instant) bool {
	b := d.payload()
	if len(b) < tcpLen || binary.BigEndian.Uint16(b[2:]) == 0 {
		return false
	}
	head := int(b[12]>>4) * 4
	flags := b[13]
	if head < tcpLen || head > len(b) || flags&tcpSYN != 0 {
		return false
	}
	data := uint32(len(b) - head)
	closing := flags&tcpFIN != 0
	if flags&tcpRST != 0 || flags&tcpACK == 0 || data == 0 && !closing {
		return true
	}
	if r.world.undisturbed(now, d.target(), probe.TCP(binary.BigEndian.Uint16(b[2:]))).Kind != Answer {
		return true
	}
	ack := binary.BigEndian.Uint32(b[4:]) + data
	reply := byte(tcpACK)
	if closing {
		ack++
		reply |= tcpFIN
	}
	r.send(r.segment(d, lie{from: d.target()}, binary.BigEndian.Uint32(b[8:]), ack, reply), 0)
	return true
}

// segment is a TCP segment without data that goes back to where d came from.
func (r *responder) segment(d datagram, l lie, seq, ack uint32, flags byte) datagram {
	in := d.payload()
	p := newDatagram(r.scratch[:], l.from, d.source(), protocolTCP, tcpLen)
	b := p.payload()
	clear(b)
	copy(b[0:2], in[2:4])
	binary.BigEndian.PutUint16(b[2:], binary.BigEndian.Uint16(in)^l.id)
	binary.BigEndian.PutUint32(b[4:], seq)
	binary.BigEndian.PutUint32(b[8:], ack)
	b[12], b[13] = tcpLen/4<<4, flags
	binary.BigEndian.PutUint16(b[14:], 65535) // window
	p.seal(16)
	return p
}

package lab

import (
	"encoding/binary"
	"net/netip"
)

// Protocol numbers of IANA.
const (
	protocolICMP = 1
	protocolTCP  = 6
	protocolUDP  = 17
)

const (
	ipLen   = 20 // without options
	icmpLen = 8
	tcpLen  = 20 // without options
	udpLen  = 8

	hopLimit = 57 // of our answers: as if the hosts were seven hops away
)

// datagram is a whole IPv4 packet (RFC 791).
type datagram []byte

// readDatagram checks that b begins with a whole, unfragmented IPv4 packet.
func readDatagram(b []byte) (datagram, bool) {
	if len(b) < ipLen || b[0]>>4 != 4 {
		return nil, false
	}
	head, total := int(b[0]&0x0f)*4, int(binary.BigEndian.Uint16(b[2:]))
	fragmented := binary.BigEndian.Uint16(b[6:])&0x3fff != 0 // more fragments, or an offset
	if head < ipLen || total < head || total > len(b) || fragmented {
		return nil, false
	}
	return b[:total], true
}

func (d datagram) headLen() int    { return int(d[0]&0x0f) * 4 }
func (d datagram) protocol() uint8 { return d[9] }
func (d datagram) source() netip.Addr {
	return netip.AddrFrom4([4]byte(d[12:16]))
}
func (d datagram) target() netip.Addr {
	return netip.AddrFrom4([4]byte(d[16:20]))
}

// payload is what follows the IP header.
func (d datagram) payload() []byte { return d[d.headLen():] }

// newDatagram writes the header of a packet with a payload of n bytes into buf, which must have the room. The payload is
// left as it is.
func newDatagram(buf []byte, from, to netip.Addr, protocol uint8, n int) datagram {
	b := buf[:ipLen+n]
	clear(b[:ipLen])
	b[0] = 4<<4 | ipLen/4
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	b[8], b[9] = hopLimit, protocol
	src, dst := from.As4(), to.As4()
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	binary.BigEndian.PutUint16(b[10:], ^fold(sumOf(0, b[:ipLen])))
	return b
}

// seal sets the checksum at offset in the payload of a TCP or UDP packet, over payload and pseudo header.
func (d datagram) seal(offset int) {
	p := d.payload()
	p[offset], p[offset+1] = 0, 0
	sum := sumOf(uint32(d.protocol())+uint32(len(p)), d[12:20])
	sum16 := ^fold(sumOf(sum, p))
	if sum16 == 0 && d.protocol() == protocolUDP {
		sum16 = 0xffff // RFC 768: zero would say that there is none
	}
	binary.BigEndian.PutUint16(p[offset:], sum16)
}

// sealICMP sets the checksum of an ICMP message, which has no pseudo header.
func (d datagram) sealICMP() {
	p := d.payload()
	p[2], p[3] = 0, 0
	binary.BigEndian.PutUint16(p[2:], ^fold(sumOf(0, p)))
}

// sumOf adds b to a one's complement sum of 16-bit words (RFC 1071), unfolded.
func sumOf(sum uint32, b []byte) uint32 {
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

package probe

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// ownHeader is the IPv4 header that the requests of a raw socket begin with, all but destination and identification; nil
// where the kernel is to write it. With it a sweep costs a twentieth less: half of that is what the kernel takes to choose
// an identification (net/ipv4/route.c, __ip_select_ident). What is zero here it fills in: source, length, checksum (raw(7)).
func ownHeader(fd int) []byte {
	ttl, err := unix.GetsockoptInt(fd, unix.SOL_IP, unix.IP_TTL)
	if err != nil || ttl < 1 || ttl > 255 || unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_HDRINCL, 1) != nil {
		return nil
	}
	const dontFragment = 0x4000
	h := make([]byte, ipHeaderLen)
	h[0] = 4<<4 | ipHeaderLen/4
	binary.BigEndian.PutUint16(h[6:], dontFragment) // as the kernel's own would have it
	h[8], h[9] = byte(ttl), protocolICMP4
	return h
}

// addressHeader completes the header in front of a request. The identification of a packet that is never fragmented means
// nothing (RFC 6864): it is a part of the MAC.
func addressHeader(packet []byte, to netip.Addr) {
	a := to.As4()
	copy(packet[16:20], a[:])
	copy(packet[4:6], packet[ipHeaderLen+16:])
}

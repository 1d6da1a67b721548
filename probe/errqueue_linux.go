package probe

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// icmpNotice is an ICMP error that the kernel matched to a socket and queued on it: IP_RECVERR of ip(7), IPV6_RECVERR.
type icmpNotice struct {
	target netip.AddrPort // where the packet went that the error is about
	what   Arrival        // its type, code and sender
	stamp  int64          // when it came, in nanoseconds of the wall clock; 0: the socket has no stamps
	quoted []byte         // what the error quotes of that packet, after its transport header; may be empty
}

// arrival is what the notice means for the attempt it is about: a port-unreachable of the target itself is life.
func (n *icmpNotice) arrival() Arrival {
	a := n.what
	a.Outcome = Unreachable
	kind, code := unreachable4, uint8(3) // RFC 792
	if !n.target.Addr().Is4() {
		kind, code = unreachable6, 4 // RFC 4443
	}
	if a.Type == kind && a.Code == code && a.From == n.target.Addr() {
		return Arrival{Outcome: Refused}
	}
	return a
}

// reportErrors makes the kernel queue ICMP errors on a socket.
func reportErrors(fd int, v4 bool) error {
	if v4 {
		return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_RECVERR, 1)
	}
	return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_RECVERR, 1)
}

// nextError takes one entry off a socket's error queue. ok is false where it is no ICMP error; more is false when the
// queue is empty.
func nextError(fd int) (n icmpNotice, ok, more bool) {
	var data [64]byte // an id is all that is looked for
	var oob [256]byte
	got, oobn, _, about, err := unix.Recvmsg(fd, data[:], oob[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if err != nil {
		return icmpNotice{}, false, err == unix.EINTR
	}
	origin, what, ok := extendedError(oob[:oobn])
	n = icmpNotice{target: addrPortOf(about), what: what, stamp: kernelStamp(oob[:oobn]), quoted: data[:got]}
	ok = ok && n.target.IsValid() && (origin == unix.SO_EE_ORIGIN_ICMP || origin == unix.SO_EE_ORIGIN_ICMP6)
	return n, ok, true
}

// addrPortOf is a socket address as the standard library's, or the zero AddrPort.
func addrPortOf(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// sockaddrOf is an address and port as the kernel takes them, with the address family.
func sockaddrOf(a netip.Addr, port uint16) (sa unix.Sockaddr, family int) {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4(), Port: int(port)}, unix.AF_INET
	}
	return &unix.SockaddrInet6{Addr: a.As16(), Port: int(port)}, unix.AF_INET6
}

package probe

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// icmpNotice is an ICMP error that the kernel matched to a socket and queued on it: IP_RECVERR of ip(7), IPV6_RECVERR.
type icmpNotice struct {
	target     netip.AddrPort // where the packet went that the error is about
	from       netip.Addr     // who sent the error
	kind, code uint8
	quoted     []byte // what the error quotes of that packet, after its transport header; may be empty
}

// portUnreachable reports whether the notice says that nobody listens at the port.
func (n *icmpNotice) portUnreachable() bool {
	if n.target.Addr().Is4() {
		return n.kind == 3 && n.code == 3 // RFC 792
	}
	return n.kind == 1 && n.code == 4 // RFC 4443
}

// arrival is what the notice means for the attempt it is about: a port-unreachable of the target itself is life.
func (n *icmpNotice) arrival() Arrival {
	if n.portUnreachable() && n.from == n.target.Addr() {
		return Arrival{Outcome: Refused}
	}
	return Arrival{Outcome: Unreachable, Type: n.kind, Code: n.code, From: n.from}
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
	got, oobn, _, from, err := unix.Recvmsg(fd, data[:], oob[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if err != nil {
		return icmpNotice{}, false, err == unix.EINTR
	}
	n.target = addrPortOf(from)
	n.quoted = append(n.quoted, data[:got]...)
	controls, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return n, false, true
	}
	for i := range controls {
		if h := &controls[i].Header; h.Level == unix.SOL_IP && h.Type == unix.IP_RECVERR ||
			h.Level == unix.SOL_IPV6 && h.Type == unix.IPV6_RECVERR {
			ok = n.read(controls[i].Data)
		}
	}
	return n, ok && n.target.IsValid(), true
}

// read takes type, code and sender from a sock_extended_err and the sockaddr behind it (linux/errqueue.h).
func (n *icmpNotice) read(b []byte) bool {
	const size = int(unsafe.Sizeof(unix.SockExtendedErr{}))
	if len(b) < size+int(unsafe.Sizeof(unix.RawSockaddrInet4{})) {
		return false
	}
	origin := b[4] // of the packed form: errno in 4 bytes, origin, type, code
	if origin != unix.SO_EE_ORIGIN_ICMP && origin != unix.SO_EE_ORIGIN_ICMP6 {
		return false
	}
	n.kind, n.code = b[5], b[6]
	offender := b[size:]
	switch binary.NativeEndian.Uint16(offender) {
	case unix.AF_INET:
		n.from = netip.AddrFrom4([4]byte(offender[4:8]))
		return true
	case unix.AF_INET6:
		if len(offender) < 24 {
			return false
		}
		n.from = netip.AddrFrom16([16]byte(offender[8:24])).Unmap()
		return true
	}
	return false
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

package probe

import (
	"errors"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stampClock turns the kernel's receive stamps, which are of the wall clock, into times with a monotonic reading.
type stampClock struct {
	now  time.Time
	skew time.Duration // wall less monotonic, against the first reading
	base time.Time
	bad  bool // the wall clock was stepped since the last reading: stamps of this one mean nothing
}

// mostQueued is the longest that a packet is believed to have waited for us, as one does while this process is stopped.
const mostQueued = time.Minute

// read notes the time at which a batch was read.
func (c *stampClock) read(now time.Time) {
	if c.base.IsZero() {
		c.base = now
	}
	skew := now.Round(0).Sub(c.base.Round(0)) - now.Sub(c.base)
	c.bad = (skew - c.skew).Abs() > time.Millisecond
	c.skew, c.now = skew, now
}

// when is the moment of a stamp, in nanoseconds of the wall clock; without one that can be believed, it is the moment of
// reading, and not exact.
func (c *stampClock) when(stamp int64) (at time.Time, exact bool) {
	waited := time.Duration(c.now.UnixNano() - stamp)
	if stamp == 0 || c.bad || waited < 0 || waited > mostQueued {
		return c.now, false
	}
	return c.now.Add(-waited), true
}

// stampArrivals asks for a stamp on every message. Where the kernel knows none (qemu's and others' that take its place), the
// moment of reading has to do.
func stampArrivals(fd int) (stamped bool, err error) {
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	if errors.Is(err, unix.ENOPROTOOPT) {
		return false, nil
	}
	return err == nil, err
}

// kernelStamp is the SO_TIMESTAMPNS of a message, in nanoseconds of the wall clock, or 0. It does not allocate.
func kernelStamp(oob []byte) int64 {
	for data, kind, level := nextControl(&oob); data != nil; data, kind, level = nextControl(&oob) {
		if level == unix.SOL_SOCKET && kind == unix.SCM_TIMESTAMPNS && len(data) >= int(unsafe.Sizeof(unix.Timespec{})) {
			return (*unix.Timespec)(unsafe.Pointer(&data[0])).Nano()
		}
	}
	return 0
}

// nextControl cuts the next control message with data off oob; nil: there is none.
func nextControl(oob *[]byte) (data []byte, kind, level int32) {
	head := unix.CmsgLen(0)
	if len(*oob) < head {
		return nil, 0, 0
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&(*oob)[0]))
	size := int(h.Len)
	if size <= head || size > len(*oob) {
		return nil, 0, 0
	}
	data = (*oob)[head:size]
	*oob = (*oob)[min(unix.CmsgSpace(size-head), len(*oob)):]
	return data, h.Type, h.Level
}

// extendedError reads IP_RECVERR or IPV6_RECVERR (struct sock_extended_err, linux/errqueue.h): type, code and sender.
func extendedError(oob []byte) (origin uint8, a Arrival, ok bool) {
	const size = int(unsafe.Sizeof(unix.SockExtendedErr{}))
	for data, kind, level := nextControl(&oob); data != nil; data, kind, level = nextControl(&oob) {
		v4 := level == unix.IPPROTO_IP && kind == unix.IP_RECVERR
		v6 := level == unix.IPPROTO_IPV6 && kind == unix.IPV6_RECVERR
		if !v4 && !v6 || len(data) < size {
			continue
		}
		e := (*unix.SockExtendedErr)(unsafe.Pointer(&data[0]))
		a.Type, a.Code = e.Type, e.Code
		// The offender's sockaddr follows: family 2, port 2, then IPv4 4; or flow 4, IPv6 16.
		if from := data[size:]; v4 && len(from) >= 8 {
			a.From = netip.AddrFrom4([4]byte(from[4:8]))
		} else if v6 && len(from) >= 24 {
			a.From = netip.AddrFrom16([16]byte(from[8:24]))
		}
		return e.Origin, a, true
	}
	return 0, a, false
}

func sockaddrIP(sa unix.Sockaddr) (netip.Addr, bool) {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(sa.Addr), true
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(sa.Addr).Unmap(), true
	}
	return netip.Addr{}, false
}

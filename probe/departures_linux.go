package probe

import (
	"encoding/binary"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// departures are the moments at which echo requests of the last seconds left us, by the kernel's stamps as it hands them
// to the device (SOF_TIMESTAMPING_TX_SOFTWARE: Documentation/networking/timestamping.rst). A slow sweep asks for them: its
// caches are cold, so that a packet leaves some ten microseconds after the sweeper's own reading of the clock. Where the
// kernel or the device gives none, that reading stands.
type departures [1 << 11]struct {
	ticket Ticket
	at     time.Time
}

func (d *departures) slot(t Ticket) int { return int(mix(uint64(t)) % uint64(len(d))) }

// askDeparture writes the control message that asks for a stamp of departure.
func askDeparture(oob []byte) {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
	h.Level, h.Type = unix.SOL_SOCKET, unix.SO_TIMESTAMPING
	h.SetLen(unix.CmsgLen(4))
	binary.NativeEndian.PutUint32(oob[unix.CmsgLen(0):], unix.SOF_TIMESTAMPING_TX_SOFTWARE)
}

// departed notes when a packet left, which ends with our request. errMu is held.
func (s *icmpSocket) departed(packet, oob []byte) {
	n := len(packet) - len(s.echo.request)
	if n < 0 {
		return
	}
	s.stamps.read(time.Now())
	if at, exact := s.stamps.when(kernelStamp(oob)); exact {
		t := Ticket(binary.BigEndian.Uint64(packet[n+icmpHeaderLen:]))
		one := &s.left[s.left.slot(t)]
		one.ticket, one.at = t, at
	}
}

// sinceLeft is how long before a moment an attempt left us, or 0 where that is not known.
func (s *icmpSocket) sinceLeft(t Ticket, at time.Time) time.Duration {
	s.errMu.Lock()
	defer s.errMu.Unlock()
	if one := &s.left[s.left.slot(t)]; one.ticket == t && !one.at.IsZero() {
		return max(at.Sub(one.at), 0)
	}
	return 0
}

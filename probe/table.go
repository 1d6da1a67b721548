package probe

import "time"

// A Ticket holds, from the top, 24 bits of sweep, 32 of service and 8 of attempt.
func makeTicket(sweep uint32, service, attempt int) Ticket {
	return Ticket(uint64(sweep&maxSweepID)<<40 | uint64(uint32(service))<<8 | uint64(uint8(attempt)))
}

func (t Ticket) sweep() uint32 { return uint32(t >> 40) }
func (t Ticket) service() int  { return int(uint32(t >> 8)) }
func (t Ticket) attempt() int  { return int(uint8(t)) }

const (
	maxSweepID  = 1<<24 - 1
	maxAttempts = 15      // what four bits of a service hold
	maxServices = 1 << 28 // what an attemptRef leaves for the service
)

// service is what a sweep keeps of one probe: 16 bytes, and with the attemptRef of its first attempt 20, without pointers.
// Later attempts, which only silent services have, and ICMP errors stand in maps beside the table.
type service struct {
	offset  int32  // of the first attempt: milliseconds on the clock after the start
	rtt     uint32 // microseconds, quantised
	sentLow uint32 // the first attempt's real time after the sweep's base, in 64 ns: the low 32 bits
	sentTop uint16 // and the 16 above them: 208 days
	flags   uint8  // the outcome, and the bits below
	tries   uint8  // attempts made; in the upper four bits the one that was answered
}

const (
	outcomeBits = 0x07
	flagDecided = 0x08
	flagNoticed = 0x10 // an ICMP error came: see Sweep.notices
)

const sentUnit = 6 // log2 of 64 ns

func (v *service) sent() time.Duration {
	return time.Duration(uint64(v.sentTop)<<32|uint64(v.sentLow)) << sentUnit
}

func (v *service) setSent(t time.Duration) {
	u := uint64(max(t, 0)) >> sentUnit
	v.sentLow, v.sentTop = uint32(u), uint16(u>>32)
}

func (v *service) outcome() Outcome    { return Outcome(v.flags & outcomeBits) }
func (v *service) decided() bool       { return v.flags&flagDecided != 0 }
func (v *service) attempts() int       { return int(v.tries & 0x0f) }
func (v *service) answeredBy() int     { return int(v.tries >> 4) }
func (v *service) setAnsweredBy(n int) { v.tries = v.tries&0x0f | uint8(n)<<4 }

func (v *service) decide(o Outcome) {
	v.flags = v.flags&^outcomeBits | uint8(o) | flagDecided
}

// attemptRef names an attempt in the log of a sweep: 28 bits of service, 4 of attempt.
type attemptRef uint32

func refOf(service, attempt int) attemptRef { return attemptRef(service<<4 | attempt) }
func (r attemptRef) service() int           { return int(r >> 4) }
func (r attemptRef) attempt() int           { return int(r & 0x0f) }

// resend is when an attempt after the first was sent.
type resend struct {
	sent   time.Duration // real, after the sweep's base
	offset int32         // on the clock, milliseconds after the start
}

package probe

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
)

// SweeperStats counts what became of packets since the sweeper was opened.
type SweeperStats struct {
	Protocols map[Protocol]ProtocolStats

	Duplicates uint64 // valid replies to what was answered already
	Unknown    uint64 // proven, but of a sweep that is over or an attempt never made
	TooLate    uint64 // valid replies after the late window
	Forged     uint64 // packets that failed their proof
	Malformed  uint64 // packets that could not be read
	Moved      uint64 // replies read so late that their RTT was lengthened to follow the watermark
	Dropped    uint64 // packets the kernel dropped because a receive buffer was full
}

// ProtocolStats counts packets and probes of one protocol.
type ProtocolStats struct {
	Packets  uint64             // sent, retries included
	Retries  uint64             // of them
	Outcomes map[Outcome]uint64 // of probes; a late reply moves one from Timeout to Late
	Local    map[string]uint64  // failures to send, by errno ("ENOBUFS") or reason
}

// aimCount is what a sweep counts for one aim; its lock guards it.
type aimCount struct {
	packets, retries uint64
	outcomes         [len(outcomeNames)]uint64
	local            map[string]uint64
}

func (c *aimCount) failed(reason string) {
	if c.local == nil {
		c.local = map[string]uint64{}
	}
	c.local[reason]++
}

// addTo adds the count to a protocol's statistics.
func (c *aimCount) addTo(all map[Protocol]ProtocolStats, p Protocol) {
	s, ok := all[p]
	if !ok {
		s = ProtocolStats{Outcomes: map[Outcome]uint64{}, Local: map[string]uint64{}}
	}
	s.Packets += c.packets
	s.Retries += c.retries
	for o, n := range c.outcomes {
		if n > 0 {
			s.Outcomes[Outcome(o)] += n
		}
	}
	for reason, n := range c.local {
		s.Local[reason] += n
	}
	all[p] = s
}

// strays counts arrivals that credit nothing.
type strays struct {
	duplicates, unknown, tooLate, moved atomic.Uint64
}

// localReason names a failure to send, by errno where there is one.
func localReason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		if name := errnoName(errno); name != "" {
			return name
		}
		return fmt.Sprintf("errno %d", int(errno))
	}
	for _, r := range localReasons {
		if errors.Is(err, r.err) {
			return r.name
		}
	}
	return "other"
}

// localReasons are the names of failures that are no errno.
var localReasons = []struct {
	err  error
	name string
}{
	{errNoLeave, "extra_per_24"},
	{errOverdue, "overdue"},
	{errKept, "kept"},
	{errOverflow, "overflow"},
	{errBacklog, "backlog"},
	{errLinkDown, "link down"},
	{errMoved, "path changed"},
	{errStill, "standstill"},
	{errCutOff, "cut off"},
	{errReset, "reset"},
}

// errOverdue is why a paced probe was not sent: we were too late for its plan.
var errOverdue = errors.New("too late for the plan")

// errNoLeave is why a probe of a core pass or confirmation was not sent: its block's allowance stayed used up.
var errNoLeave = errors.New("the block's allowance for extra probes is used up")

// passing reports whether a failure to send may be over in a moment: full buffers of ours.
func passing(err error) bool {
	return errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
}

package probe

import (
	"errors"
	"fmt"
	"syscall"
)

// errWindow is why an attempt was not sent that is worth another try soon: every descriptor that the wire may use is in
// use. It is an EAGAIN, and nothing was sent.
var errWindow = fmt.Errorf("as many attempts are under way as there are descriptors: %w", syscall.EAGAIN)

// errReset is why an attempt counts as not sent that was refused while connect lasted, and by this very host.
var errReset = errors.New("our own firewall refuses it in the target's name")

const (
	tcpMaxWindow  = 16384 // attempts at once: more do not make a sweep faster
	tcpMinReserve = 32    // descriptors left to the rest of the process: store, HTTP, other wires
)

// TCPWindow is how many attempts may be under way at once in a process that may open limit files.
func TCPWindow(limit uint64) int {
	reserve := max(limit/8, tcpMinReserve)
	if limit <= reserve {
		return 1
	}
	return int(min(limit-reserve, tcpMaxWindow))
}

// ageList orders slots by when they were added, in constant time and without allocation.
type ageList struct {
	next, prev []int32 // of slot+1; 0 is the list's head
}

func newAgeList(slots int) ageList {
	return ageList{next: make([]int32, slots+1), prev: make([]int32, slots+1)}
}

// add puts a slot at the end.
func (l ageList) add(slot int32) {
	i, last := slot+1, l.prev[0]
	l.next[last], l.prev[i] = i, last
	l.next[i], l.prev[0] = 0, i
}

func (l ageList) remove(slot int32) {
	i := slot + 1
	l.next[l.prev[i]], l.prev[l.next[i]] = l.next[i], l.prev[i]
}

// oldest is the slot that was added first.
func (l ageList) oldest() (slot int32, ok bool) { return l.next[0] - 1, l.next[0] != 0 }

package probe

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	wantedReceiveBuffer = 8 << 20 // about 20,000 replies, for the kernel doubles it: socket(7)
	replyMemory         = 768     // what the kernel charges for a small reply: a struct sk_buff and its least data
)

// ICMPReceiveBuffer opens a socket, of the first kind that is permitted, to see which receive buffer it is granted.
func ICMPReceiveBuffer() (b ICMPBuffer, err error) {
	fd, err := icmpDescriptor(false, true)
	if err != nil {
		var datagram error
		if fd, datagram = icmpDescriptor(false, false); datagram != nil {
			return b, errors.Join(err, datagram)
		}
	}
	defer unix.Close(fd)
	if b.Forced, err = enlargeReceiveBuffer(fd, wantedReceiveBuffer); err != nil {
		return b, fmt.Errorf("set icmp socket's receive buffer: %w", err)
	}
	size, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		return b, fmt.Errorf("read icmp socket's receive buffer: %w", err)
	}
	b.Replies, b.Most = size/replyMemory, 2*wantedReceiveBuffer/replyMemory
	return b, nil
}

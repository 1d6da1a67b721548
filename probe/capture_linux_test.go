package probe

import (
	"encoding/binary"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// capture is a packet socket (packet(7)) on every device of the test's namespace, as tcpdump has: the kernel copies every
// packet to it, stamped as it is handed to the device or comes from it. What it got lies in its buffer until it is read.
type capture struct{ fd int }

// captureBuffer holds 20,000 packets with room to spare.
const captureBuffer = 128 << 20

func startCapture(t *testing.T) *capture {
	t.Helper()
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // htons: other types do not see what leaves
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, all)
	if err != nil {
		skipUnlessCI(t, "no packet socket: "+err.Error())
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBuffer); err != nil {
		skipUnlessCI(t, "no buffer for a capture: "+err.Error())
	}
	c := &capture{fd}
	c.awaitStamps(t)
	return c
}

// awaitStamps returns when the kernel stamps packets. It begins to a while after the first socket has asked for it, and
// until then gives out the time of reading (net/core/dev.c, netstamp_work; net/socket.c, __sock_recv_timestamp).
func (c *capture) awaitStamps(t *testing.T) {
	t.Helper()
	out, err := net.Dial("udp4", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	b, oob := make([]byte, 1), make([]byte, 128)
	eventually(t, "stamps by the kernel", func() bool {
		out.Write(b)
		sent := time.Now().UnixNano()
		time.Sleep(time.Millisecond)
		early := false
		for {
			_, oobn, _, _, err := unix.Recvmsg(c.fd, b, oob, unix.MSG_DONTWAIT)
			if err != nil {
				return early
			}
			early = kernelStamp(oob[:oobn]) < sent
		}
	})
}

// captured is what a capture saw of one attempt, in nanoseconds of the wall clock; 0: nothing.
type captured struct{ sent, came int64 }

// roundTrip is the time between, as by a clock that was not stepped.
func (c captured) roundTrip() time.Duration { return sameHour(time.Duration(c.came - c.sent)) }

// sameHour takes away the hours by which the wall clock was stepped meanwhile.
func sameHour(d time.Duration) time.Duration { return d - d.Round(time.Hour) }

// read takes from the buffer what the capture saw of echo requests and replies of ours.
func (c *capture) read(t *testing.T) map[Ticket]captured {
	t.Helper()
	seen := map[Ticket]captured{}
	b, oob := make([]byte, largestMessage), make([]byte, 128)
	for {
		n, oobn, _, _, err := unix.Recvmsg(c.fd, b, oob, unix.MSG_DONTWAIT)
		if err == unix.EAGAIN {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if n < 20+echoLen || b[0] != 0x45 || b[9] != protocolICMP4 {
			continue
		}
		ticket := Ticket(binary.BigEndian.Uint64(b[20+icmpHeaderLen:]))
		at := seen[ticket]
		switch b[20] {
		case echoRequest4:
			at.sent = kernelStamp(oob[:oobn])
		case echoReply4:
			at.came = kernelStamp(oob[:oobn])
		}
		seen[ticket] = at
	}
	if lost := c.lost(t); lost > 0 {
		t.Fatalf("the capture lost %d packets", lost)
	}
	return seen
}

func (c *capture) lost(t *testing.T) uint32 {
	t.Helper()
	s, err := unix.GetsockoptTpacketStats(c.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		t.Fatal(err)
	}
	return s.Drops
}

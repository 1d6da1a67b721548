package probe

import (
	"encoding/binary"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTUN makes a TUN device in the test's namespace, with an address of ours, and leads the given networks to it.
func openTUN(t testing.TB, networks ...string) *os.File {
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		skipUnlessCI(t, "no TUN device: "+err.Error())
	}
	req, err := unix.NewIfreq("far%d")
	if err != nil {
		t.Fatal(err)
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		unix.Close(fd)
		skipUnlessCI(t, "no TUN device: "+err.Error())
	}
	tun := os.NewFile(uintptr(fd), "tun") // only now can it be polled
	t.Cleanup(func() { tun.Close() })
	command(t, "ip addr add 198.19.255.1/32 dev "+req.Name())
	command(t, "ip link set "+req.Name()+" txqueuelen 16384 up")
	for _, n := range networks {
		command(t, "ip route add "+n+" dev "+req.Name())
	}
	return tun
}

// answerEchoes answers every IPv4 echo request after a delay until the device is closed; 0: at once.
func answerEchoes(tun *os.File, delay func(netip.Addr) time.Duration) {
	b := make([]byte, largestMessage)
	for {
		n, err := tun.Read(b)
		if err != nil {
			return
		}
		if n < 20+icmpHeaderLen || b[0] != 0x45 || b[9] != protocolICMP4 || b[20] != echoRequest4 {
			continue
		}
		target := netip.AddrFrom4([4]byte(b[16:20]))
		turn(b[:n])
		d := delay(target)
		if d == 0 {
			tun.Write(b[:n])
			continue
		}
		reply := append([]byte(nil), b[:n]...)
		time.AfterFunc(d, func() { tun.Write(reply) })
	}
}

// turn makes a reply of an IPv4 echo request. The sum of an IP header does not change when its addresses change places.
func turn(b []byte) {
	var source [4]byte
	copy(source[:], b[12:16])
	copy(b[12:16], b[16:20])
	copy(b[16:20], source[:])
	m := b[20:]
	m[0], m[2], m[3] = echoReply4, 0, 0
	binary.BigEndian.PutUint16(m[2:], ^fold(onesSum(0, m)))
}

package probe

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWrongChecksumsAreNoOverflow: what anybody sends us with a wrong checksum is no reason to distrust silence; but a buffer that
// was full is.
func TestWrongChecksumsAreNoOverflow(t *testing.T) {
	enterNamespace(t)
	w := drive(t, openICMP, SweeperConfig{ICMP: ICMPRaw})
	wire := w.wire.(*icmpWire)
	if err := wire.Need(true, true); err != nil {
		t.Fatal(err)
	}
	sendSpoilt(t, 5)
	w.quiet("::1", ICMP) // the kernel delivers on loopback in order
	if got := wire.Buffers(); got.dropped != 0 {
		t.Errorf("%d packets with a wrong checksum found our buffer full", got.dropped)
	}

	if err := wire.v6.fd.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 1) }); err != nil {
		t.Fatal(err)
	}
	wire.Tend(true) // and nobody is woken to read
	for n := 0; wire.Buffers().dropped == 0; n++ {
		if n == 10_000 {
			t.Fatalf("of %d replies none found our buffer full", n)
		}
		if _, err := w.send("::1", ICMP, 0); err != nil {
			t.Fatal(err)
		}
		sendSpoilt(t, 1)
	}
	wire.Tend(false)
}

// sendSpoilt sends echo replies to ::1, with an id that nobody uses, whose checksums are wrong.
func sendSpoilt(t *testing.T, n int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW) // it takes the header from us
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	loopback := netip.IPv6Loopback().As16()
	packet := append([]byte{6 << 4, 0, 0, 0, 0, 16, protocolICMP6, 64}, loopback[:]...)
	packet = append(packet, loopback[:]...)
	packet = append(packet, echoReply6, 0, 0xba, 0xad, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for range n {
		if err := unix.Sendto(fd, packet, 0, &unix.SockaddrInet6{Addr: loopback}); err != nil {
			t.Fatal(err)
		}
	}
}

package probe

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
)

// answerEcho answers echo requests of IPv4 in the kernel's place, after a delay.
func (f *far) answerEcho(t *testing.T, delay time.Duration) {
	t.Helper()
	f.do(func() { sysctl(t, "net/ipv4/icmp_echo_ignore_all", "1") })
	f.hear(t, func(c *ipv4.PacketConn, request []byte, from, target net.IP) {
		reply := append([]byte(nil), request...)
		reply[0] = echoReply4
		time.AfterFunc(delay, func() { _, _ = c.WriteTo(resum(reply), &ipv4.ControlMessage{Src: target}, &net.IPAddr{IP: from}) })
	})
}

// hear calls a function with every echo request of IPv4 that comes to the far namespace.
func (f *far) hear(t *testing.T, heard func(c *ipv4.PacketConn, request []byte, from, target net.IP)) {
	t.Helper()
	conn := f.packetConn(t, "ip4:icmp", "0.0.0.0")
	c := ipv4.NewPacketConn(conn)
	if err := c.SetControlMessage(ipv4.FlagDst, true); err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, largestMessage)
		for {
			n, cm, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if n >= icmpHeaderLen && b[0] == echoRequest4 && cm != nil {
				heard(c, b[:n], from.(*net.IPAddr).IP, cm.Dst)
			}
		}
	}()
}

// TestOurInterfaceDown takes the interface down in the middle of a sweep whose answers take a while: some are on their way
// when it goes. It stays down, comes back as soon as sends have failed, or only loses its carrier, which no send fails of.
func TestOurInterfaceDown(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	f := openFar(t)
	f.accept(t, 80)
	f.answerEcho(t, 300*time.Millisecond)
	f.resolve(t, 300*time.Millisecond)
	for _, fault := range []struct {
		name string
		make func([]*Sweeper)
	}{
		{"down and up", func(sweepers []*Sweeper) {
			command(t, "ip link set near0 down")
			eventually(t, "sends fail", func() bool {
				raw, datagram := sweepers[0].Stats().Protocols, sweepers[1].Stats().Protocols
				return len(raw[ICMP].Local) > 0 && len(raw[DNS].Local) > 0 && len(datagram[ICMP].Local) > 0
			})
			connectNear(t)
		}},
		{"down for good", func([]*Sweeper) { command(t, "ip link set near0 down") }},
		{"without a carrier", func([]*Sweeper) { f.command(t, "ip link set far0 down") }},
	} {
		connectNear(t)
		sweepers := openFaulty(t, SweeperConfig{Timeout: 2 * time.Second, Rate: 300})
		sweeps := startFaulty(t, sweepers, 0, routed4)
		halfSent(t, sweeps)
		fault.make(sweepers)
		all := blameless(t, sweeps)
		wantSome(t, all, Reply)
		delete(all, "tcp/80") // which sends again when the interface is back
		wantSome(t, all, Unsent)
		if t.Failed() {
			t.Fatalf("so it was with the interface %s", fault.name)
		}
	}
}

// TestOurInterfaceIsMended sweeps before and after a fault: what is silent then is silent, and no fault of ours.
func TestOurInterfaceIsMended(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	f := openAlive(t)
	f.nft(t, "input", "ip daddr 198.18.8.0/28 drop")
	sweepers := openFaulty(t, SweeperConfig{Timeout: 2 * time.Second})
	for range 2 {
		for i, w := range startFaulty(t, sweepers, 0, "198.18.8.0/27") {
			<-w.Sent()
			r, _ := w.Round()
			for _, pass := range r.Passes {
				if got := outcomes(pass); got[Timeout] != 16 || got[Reply] != 16 {
					t.Errorf("sweep %d, %s: %v", i, pass.Protocol, got)
				}
			}
		}
		command(t, "ip link set near0 down")
		connectNear(t)
		awaitCarrier(t)
	}
}

// TestAnotherInterfaceOfOursDown: a small part of the space is behind an interface of its own that keeps no neighbours, as a tunnel
// does, and loses its carrier, for a while or for good.
func TestAnotherInterfaceOfOursDown(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	f := openAlive(t)
	const mac = "02:00:00:00:00:01" // of both ends: where no neighbours are kept, frames go to the sender's own
	command(t, "ip link add near1 address "+mac+" type veth peer name far1 address "+mac)
	f.adopt(t, "far1")
	for _, line := range []string{"link set %s arp off", "link set %s up"} {
		f.command(t, "ip "+fmt.Sprintf(line, "far1"))
		command(t, "ip "+fmt.Sprintf(line, "near1"))
	}
	command(t, "ip addr add 198.19.7.1/32 dev near1")
	command(t, "ip addr add fd00:198:21::1/128 dev near1 nodad")
	command(t, "ip route add 198.18.12.16/28 dev near1 src 198.19.7.1")
	command(t, "ip -6 route add fd00:198:19::/124 dev near1 src fd00:198:21::1")
	f.command(t, "ip route add 198.19.7.1 via 198.19.0.1") // answers come by near0
	f.command(t, "ip -6 route add fd00:198:21::1 via fd00:198:20::1")
	for _, fault := range []struct {
		targets []string
		back    bool
	}{
		{[]string{"198.18.8.0/24", "fd00:198:19::/124"}, true},
		{[]string{"198.18.8.0/24", "fd00:198:19::/124"}, false},
		{[]string{"198.18.8.0/21"}, false},
	} {
		f.command(t, "ip link set far1 up")
		eventually(t, "near1 runs", func() bool { return strings.Contains(command(t, "ip link show near1"), "state UP") })
		sweeps := startFaulty(t, openFaulty(t, SweeperConfig{Timeout: 2 * time.Second}), 2*time.Second, fault.targets...)
		halfSent(t, sweeps)
		f.command(t, "ip link set far1 down")
		if fault.back {
			eventually(t, "all is sent", func() bool {
				sent0, planned0, _ := sweeps[0].Progress()
				sent1, planned1, _ := sweeps[1].Progress()
				return sent0 == planned0 && sent1 == planned1
			})
			f.command(t, "ip link set far1 up") // before it is judged
		}
		all := blameless(t, sweeps)
		wantSome(t, all, Reply)
		wantAny(t, all, Unsent)
		if t.Failed() {
			t.Fatalf("so it was with %s, and its interface back: %t", fault.targets, fault.back)
		}
	}
}

package probe

import (
	"net/netip"
	"testing"
	"time"
)

// TestWeAreRenumbered takes from us, in the middle of a sweep, the address or the way by which answers are to come back, and
// gives us others at once, so that no send fails: what was under way then is lost.
func TestWeAreRenumbered(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	f := openFar(t)
	f.accept(t, 80)
	f.answerEcho(t, 300*time.Millisecond)
	f.resolve(t, 300*time.Millisecond)
	command(t, "ip link add near1 type veth peer name far1")
	f.adopt(t, "far1")
	command(t, "ip addr add 198.19.1.1/24 dev near1")
	command(t, "ip link set near1 up")
	f.command(t, "ip addr add 198.19.1.2/24 dev far1")
	f.command(t, "ip link set far1 up")
	for _, fault := range []struct {
		name         string
		before, make []string
	}{
		{"another address", nil, []string{"addr del 198.19.0.1/24 dev near0", "addr add 198.19.0.7/24 dev near0",
			"route replace 198.18.8.0/21 via 198.19.0.2"}},
		{"another way", []string{"net/ipv4/conf/all/rp_filter", "net/ipv4/conf/near0/rp_filter"},
			[]string{"route replace 198.18.8.0/21 via 198.19.1.2"}},
	} {
		command(t, "ip addr flush dev near0 scope global")
		connectNear(t)
		for _, strict := range fault.before {
			sysctl(t, strict, "1")
		}
		sweepers := openFaulty(t, SweeperConfig{Timeout: 2 * time.Second})
		sweeps := startFaulty(t, sweepers, 2*time.Second, routed4)
		halfSent(t, sweeps)
		ipBatch(t, fault.make)
		all := blameless(t, sweeps)
		wantSome(t, all, Reply)
		delete(all, "tcp/80") // which the kernel answers at once
		wantSome(t, all, Unsent)
		if t.Failed() {
			t.Fatalf("so it was with %s", fault.name)
		}
	}
}

// TestWeHaveNoAddress asks by way of an interface without an address of IPv6 that could be answered: the kernel sends all the same,
// from ::1, or from the address of the link.
func TestWeHaveNoAddress(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	f := openAlive(t)
	f.nft(t, "input", "ip6 saddr fe80::/10 ip6 daddr fd00:198:19::/64 drop") // as a router does
	command(t, "ip -6 addr flush dev near0")
	command(t, "ip -6 neigh replace fd00:198:20::2 lladdr 02:00:00:00:00:02 nud permanent dev near0")
	for _, address := range []string{"", "fe80::7/64"} {
		if address != "" {
			command(t, "ip addr add "+address+" dev near0 nodad")
		}
		command(t, "ip -6 route replace fd00:198:19::/64 via fd00:198:20::2 dev near0 onlink")
		all := blameless(t, startFaulty(t, openFaulty(t, SweeperConfig{Timeout: time.Second}), 0, "fd00:198:19::/124"))
		wantSome(t, all, Unsent)
	}
}

// TestOtherAddressesOfOursComeAndGo: what was an address of our interface, but not the one that we ask from, takes no answer
// with it.
func TestOtherAddressesOfOursComeAndGo(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	f := openAlive(t)
	f.nft(t, "input", "ip daddr 198.18.8.0/27 drop")
	sweepers := openFaulty(t, SweeperConfig{Timeout: 1200 * time.Millisecond})
	sweeps := startFaulty(t, sweepers, 2*time.Second, "198.18.8.0/26")
	for over := false; !over; {
		ipBatch(t, []string{
			"addr add 198.19.0.77/24 dev near0", "addr add fd00:198:20::77/64 dev near0 nodad",
			"addr change 198.19.0.1/24 dev near0 valid_lft 3600 preferred_lft 3600", // as DHCP does
			"addr del 198.19.0.77/24 dev near0", "addr del fd00:198:20::77/64 dev near0",
		})
		select {
		case <-sweeps[0].Sent():
			over = true
		case <-time.After(100 * time.Millisecond):
		}
	}
	for i, w := range sweeps {
		<-w.Sent()
		r, _ := w.Round()
		for _, pass := range r.Passes {
			if got := outcomes(pass); got[Reply] != 32 || got[Timeout] != 32 {
				t.Errorf("sweep %d, %s: %v, local failures %v", i, pass.Protocol, got, sweepers[i].Stats().Protocols[pass.Protocol].Local)
			}
		}
	}
}

// TestSeveralWaysAreNoOther: where a route has two ways, none of them is another than it was.
func TestSeveralWaysAreNoOther(t *testing.T) {
	enterNamespace(t)
	for _, line := range []string{
		"ip link add near0 type veth peer name far0", "ip link add near1 type veth peer name far1",
		"ip link set near0 up", "ip link set near1 up", "ip link set far0 up", "ip link set far1 up",
		"ip addr add 198.19.0.1/24 dev near0", "ip addr add 198.19.1.1/24 dev near1",
		"ip addr add fd00:198:20::1/64 dev near0 nodad", "ip addr add fd00:198:21::1/64 dev near1 nodad",
		"ip route add 198.18.0.0/16 nexthop via 198.19.0.2 nexthop via 198.19.1.2",
		"ip -6 route add fd00:198:19::/64 nexthop via fd00:198:20::2 nexthop via fd00:198:21::2",
	} {
		command(t, line)
	}
	var samples []netip.Addr
	for i := range byte(16) {
		samples = append(samples, netip.AddrFrom4([4]byte{198, 18, i, 1}), netip.AddrFrom16([16]byte{0xfd, 0, 1, 0x98, 0, 0x19, 15: i}))
	}
	p, err := openPath(samples, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	eventually(t, "both are up", func() bool { down, _ := p.look(); return !down })
	for range 20 {
		command(t, "ip link add churn type veth peer name nruhc")
		command(t, "ip addr add 198.19.7.1/24 dev churn")
		command(t, "ip link del churn")
		if _, moved := p.look(); moved {
			t.Fatal("moved")
		}
	}
}

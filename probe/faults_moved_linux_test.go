package probe

import (
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

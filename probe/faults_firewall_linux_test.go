package probe

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestOurFirewallKeepsAllAttempts: a sweep asks again what our own firewall keeps back, and awaits each attempt no longer than
// for its timeout, so that the first is forgotten when the last is judged.
func TestOurFirewallKeepsAllAttempts(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	openAlive(t)
	nft(t, "output", "ip daddr 198.18.8.0/25 drop")
	for _, span := range []time.Duration{0, 2 * time.Second} {
		const timeout = 1500 * time.Millisecond
		cfg := SweeperConfig{Timeout: timeout, LateWindow: timeout, Retries: 1}
		all := blameless(t, startFaulty(t, openFaulty(t, cfg), span, routed4))
		for name, got := range all {
			if got[Reply] != 128 || got[Unsent] != 128 {
				t.Errorf("%s over %s: %v", name, span, got)
			}
		}
	}
}

// TestOurFirewallRejects rejects on output what goes to every other address: each send fails, and our own kernel tells of that in an
// ICMP error besides.
func TestOurFirewallRejects(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	openAlive(t)
	sysctl(t, "net/ipv4/icmp_ratelimit", "0")
	sysctl(t, "net/ipv6/icmp/ratelimit", "0")
	const odd4, odd6 = "ip daddr " + routed4 + " ip daddr & 0.0.0.1 == 0.0.0.1 ", "ip6 daddr " + routed6 + " ip6 daddr & ::1 == ::1 "
	for _, with := range []string{"port-unreachable", "admin-prohibited"} {
		nft(t, "output", odd4+"reject with icmp "+with, odd6+"reject with icmpv6 "+with)
		all := blameless(t, startFaulty(t, openFaulty(t, SweeperConfig{Timeout: 2 * time.Second}), 0, routed4, routed6))
		for name, got := range all {
			if got[Reply] != 256 || got[Unsent] != 256 {
				t.Errorf("%s, %s: %v", with, name, got)
			}
		}
		command(t, "nft delete table inet f")
	}
}

// TestOurFirewallResets refuses on output, in the target's name, what goes to every other address: that is no life of the target's. What
// a neighbour refuses that is on this very machine, and as soon, is.
func TestOurFirewallResets(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	openAlive(t)
	nft(t, "output", "ip daddr "+routed4+" ip daddr & 0.0.0.1 == 0.0.0.1 meta l4proto tcp reject with tcp reset",
		"ip6 daddr "+routed6+" ip6 daddr & ::1 == ::1 meta l4proto tcp reject with tcp reset")
	all := blameless(t, startFaulty(t, openFaulty(t, SweeperConfig{Timeout: time.Second}), 0, routed4, routed6))
	if got := all["tcp/80"]; got[Reply] != 256 || got[Unsent] != 256 {
		t.Errorf("%v", got)
	}
	closed, space := TCP(81), testSpace(t, routed4, routed6)
	for _, want := range []int{256, 512} {
		s := openTest(t, SweeperConfig{Timeout: time.Second}, closed)
		w, err := s.Start(t.Context(), Order{Space: space, Aims: []Aim{{closed, space}}})
		if err != nil {
			t.Fatal(err)
		}
		<-w.Sent()
		r, _ := w.Round()
		if got := outcomes(r.Passes[0]); got[Refused] != want || got[Refused]+got[Unsent] != 512 {
			t.Errorf("want %d refused: %v, local failures %v", want, got, s.Stats().Protocols[closed].Local)
		}
		if want == 256 {
			command(t, "nft delete table inet f")
		}
	}
}

// TestOurFilterAtEgress drops what goes to half of the space behind our sockets, where the kernel says ENOBUFS, as of a queue that
// is full: the sweep does not wait for each of them as for that, which would take minutes.
func TestOurFilterAtEgress(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	openAlive(t)
	nftEgress(t, "near0", "ip daddr & 0.0.0.1 == 0.0.0.1 drop")
	for name, got := range blameless(t, startFaulty(t, openFaulty(t, SweeperConfig{Timeout: time.Second}), 0, routed4)) {
		if got[Reply] != 128 || got[Unsent] != 128 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// nftEgress adds a rule to what leaves an interface.
func nftEgress(t *testing.T, link, rule string) {
	t.Helper()
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader("table netdev f {\nchain c {\ntype filter hook egress device " + link + " priority 0\n" + rule + "\n}\n}\n")
	if out, err := cmd.CombinedOutput(); err != nil { // no nft, or a kernel before Linux 5.16
		skipUnlessCI(t, "no filter at egress: "+err.Error()+": "+string(out))
	}
}

package probe

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// listen accepts TCP connections, and counts those that a program would have seen, until the test ends.
func listen(t *testing.T, address string) (accepted func() int) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	n := make(chan int, 1)
	n <- 0
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n <- <-n + 1
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close() })
	return func() int { k := <-n; n <- k; return k }
}

func TestTCPOutcomes(t *testing.T) {
	if !inNamespace(t, nil) {
		return
	}
	accepted := listen(t, "198.18.0.1:80")
	listen(t, "[fd00:198:18::1]:80")
	for _, a := range []string{"fd00:198:18::20", "fd00:198:18::21"} {
		command(t, "ip addr add "+a+"/128 dev lo nodad") // else lo itself sends its errors
	}
	command(t, "nft add table inet t")
	command(t, "nft add chain inet t in { type filter hook input priority 0; }")
	for _, rule := range []string{
		"ip daddr 198.18.0.20 tcp dport 80 reject with icmp type port-unreachable",
		"ip daddr 198.18.0.21 tcp dport 80 reject with icmp type admin-prohibited",
		"ip daddr 198.18.0.22 tcp dport 80 reject with icmp type host-unreachable",
		"ip6 daddr fd00:198:18::20 tcp dport 80 reject with icmpv6 type port-unreachable",
		"ip6 daddr fd00:198:18::21 tcp dport 80 reject with icmpv6 type admin-prohibited",
	} {
		command(t, "nft add rule inet t in "+rule)
	}
	w := drive(t, openTCP, SweeperConfig{})
	for _, test := range []struct {
		target     string
		outcome    Outcome
		kind, code uint8
	}{
		{target: "198.18.0.1", outcome: Reply},
		{target: "198.18.0.2", outcome: Refused},
		{target: "198.18.0.20", outcome: Refused}, // the target itself says that nobody listens
		{target: "198.18.0.21", outcome: Unreachable, kind: 3, code: 13},
		{target: "198.18.0.22", outcome: Unreachable, kind: 3, code: 1},
		{target: "fd00:198:18::1", outcome: Reply},
		{target: "fd00:198:18::2", outcome: Refused},
		{target: "fd00:198:18::20", outcome: Refused},
		{target: "fd00:198:18::21", outcome: Unreachable, kind: 1, code: 1},
	} {
		a := w.ask(test.target, TCP(80))
		if a.Outcome != test.outcome || a.Type != test.kind || a.Code != test.code {
			t.Errorf("%s: %+v, want %v %d %d", test.target, a, test.outcome, test.kind, test.code)
		}
		if a.RTT <= 0 || a.RTT > patience || time.Since(a.At) > patience {
			t.Errorf("%s: RTT %v at %v", test.target, a.RTT, a.At)
		}
		if from := netip.MustParseAddr(test.target); a.Outcome == Unreachable && a.From != from {
			t.Errorf("%s: error from %v", test.target, a.From)
		}
	}
	if n := accepted(); n != 0 {
		t.Errorf("the target's program saw %d connections", n)
	}
	if left := w.wire.(*tcpWire).Room(); left != len(w.wire.(*tcpWire).conns) {
		t.Errorf("%d slots are free, of %d", left, len(w.wire.(*tcpWire).conns))
	}
}

package probe

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestPing(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	command(t, "ip route add prohibit 198.19.2.0/24")
	command(t, "ip route add unreachable 198.19.1.0/24")
	command(t, "nft add table inet t")
	command(t, "nft add chain inet t in { type filter hook input priority 0; }")
	command(t, "nft add rule inet t in ip daddr 198.18.0.30 drop")
	command(t, "nft add chain inet t out { type filter hook output priority 0; }")
	command(t, "nft add rule inet t out ip daddr 198.18.0.31 drop")
	for _, sockets := range []struct {
		name, groups string
		privileged   bool
	}{{"datagram", "0 2147483647", false}, {"raw", "1 0", true}, {"raw for want of datagram", "1 0", false}} {
		sysctl(t, "net/ipv4/ping_group_range", sockets.groups)
		for target, ok := range map[string]bool{
			"198.18.0.1":      true,
			"fd00:198:18::1":  true,
			"198.18.0.30":     false, // drops it
			"198.18.0.31":     false, // we drop it
			"198.19.0.1":      false, // no route
			"198.19.1.1":      false,
			"198.19.2.1":      false, // EACCES, which pro-bing alone would try for ever
			"fd00:198:19::99": false,
		} {
			limit := 100 * time.Millisecond
			if ok {
				limit = patience
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			rtt, err := Ping(ctx, netip.MustParseAddr(target), sockets.privileged)
			cancel()
			if (err == nil) != ok || (rtt > 0) != ok || rtt > patience {
				t.Errorf("%s, %s: %v, %v", sockets.name, target, rtt, err)
			}
		}
	}
	goleak.VerifyNone(t)
}

// A cut of the path to all references is one bad range that contains it, on a scaled clock with real pings.
func TestVantageOverACut(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	sysctl(t, "net/ipv4/ping_group_range", "0 2147483647")
	command(t, "nft add table inet t")
	command(t, "nft add chain inet t in { type filter hook input priority 0; }")
	clock := NewScaledClock(t.Context(), time.Date(2014, 12, 22, 6, 0, 0, 0, time.UTC), 50)
	var references []netip.Addr
	for _, a := range []string{"198.18.0.1", "198.18.1.1", "fd00:198:18::1", "198.18.0.2"} {
		references = append(references, netip.MustParseAddr(a))
	}
	command(t, "nft add rule inet t in ip daddr 198.18.0.2 drop") // one is dead all along
	v, err := OpenVantage(VantageConfig{References: references, Clock: clock, Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	eventually(t, "the vantage is good", func() bool { return v.Health().OK })
	command(t, "nft add rule inet t in meta l4proto { icmp, icmpv6 } drop")
	cut := InstantOf(clock.Now())
	eventually(t, "the vantage is sick", func() bool { return v.Health().Sick })
	mended := InstantOf(clock.Now())
	command(t, "nft flush chain inet t in")
	eventually(t, "the vantage is good again", func() bool { return v.Health().OK })
	whole := InstantOf(clock.Now())
	eventually(t, "that is settled", func() bool { return v.Settled() >= whole })
	bad := v.Bad(0, 1<<60)
	if len(bad) != 1 || bad[0].From > cut || bad[0].To < mended || bad[0].To > whole.Add(1) {
		t.Errorf("bad in %v, want one range that holds %v to %v", bad, cut, mended)
	}
	if got := v.Bad(cut, mended); len(got) != 1 || got[0] != (Range{cut, mended}) {
		t.Errorf("bad from %v to %v: %v", cut, mended, got)
	}
}

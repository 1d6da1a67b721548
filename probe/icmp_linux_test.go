package probe

import (
	"context"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testSpace(t testing.TB, targets ...string) Space {
	t.Helper()
	s, err := ParseSpace(targets, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sweepNow sweeps a space once, unpaced, by ICMP, and returns the round without waiting for late replies.
func sweepNow(t testing.TB, s *Sweeper, space Space) *Round {
	t.Helper()
	w, err := s.Start(context.Background(), Order{Space: space, Aims: []Aim{{ICMP, space}}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	<-w.Sent()
	r, _ := w.Round()
	return r
}

func openTest(t testing.TB, cfg SweeperConfig, protocols ...Protocol) *Sweeper {
	t.Helper()
	s, err := OpenSweeper(cfg, protocols)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// lives counts the answers of a pass that show life.
func lives(r *Round, pass int) int {
	n := 0
	for _, a := range r.Passes[pass].Answers {
		if a.Outcome.Life() {
			n++
		}
	}
	return n
}

// bothModes runs a test with a raw and with a datagram socket, each in a namespace of its own.
func bothModes(t *testing.T, name string, test func(t *testing.T, cfg SweeperConfig)) {
	t.Helper()
	for _, mode := range []ICMPMode{ICMPRaw, ICMPDatagram} {
		t.Run(strings.TrimPrefix(name+", "+mode.String(), ", "), func(t *testing.T) {
			enterNamespace(t)
			sysctl(t, "net/ipv4/ping_group_range", "0 2147483647")
			test(t, SweeperConfig{ICMP: mode, Contact: "https://example.org/probe"})
		})
	}
}

func TestEveryAddressOfAnIPv6SpaceIsFound(t *testing.T) {
	bothModes(t, "", func(t *testing.T, cfg SweeperConfig) {
		command(t, "ip -6 addr add 2001:db8::1/128 dev lo nodad")
		command(t, "ip -6 route add local 2001:db8:1::/118 dev lo")
		command(t, "ip route add local 198.18.0.0/24 dev lo")
		s := openTest(t, cfg, ICMP)
		awaitIPv6(t, s, "2001:db8:1::2")
		space := testSpace(t, "2001:db8:1::/118", "198.18.0.0/24")
		r := sweepNow(t, s, space)
		if got := lives(r, 0); got != space.Len() {
			t.Errorf("%d of %d answered: %v", got, space.Len(), s.Stats())
		}
	})
}

// awaitIPv6 returns when the kernel has come to answer for an address: for the first milliseconds of a new namespace it
// drops what is sent to one, and says nothing.
func awaitIPv6(t *testing.T, s *Sweeper, target string) {
	t.Helper()
	for range 20 {
		if lives(sweepNow(t, s, testSpace(t, target)), 0) == 1 {
			return
		}
	}
	t.Fatalf("the kernel does not come to answer for %s", target)
}

// TestErrorsAreEvidence: half of a space answers and half rejects, so that the rejections surface on the sends to those
// that answer. None is blamed for another's.
func TestErrorsAreEvidence(t *testing.T) {
	bothModes(t, "", func(t *testing.T, cfg SweeperConfig) {
		command(t, "ip -6 addr add 2001:db8::1/128 dev lo nodad")
		command(t, "ip -6 route add local 2001:db8:1::/120 dev lo")
		command(t, "ip route add local 198.18.0.0/24 dev lo")
		for _, name := range []string{"icmp_ratelimit", "icmp_msgs_per_sec", "icmp_msgs_burst"} {
			value := map[string]string{"icmp_ratelimit": "0", "icmp_msgs_per_sec": "100000", "icmp_msgs_burst": "10000"}[name]
			sysctl(t, "net/ipv4/"+name, value)
		}
		sysctl(t, "net/ipv6/icmp/ratelimit", "0")
		nft(t, "input", "icmp type echo-request ip daddr & 0.0.0.1 == 0.0.0.1 reject with icmp type admin-prohibited",
			"icmpv6 type echo-request ip6 daddr & ::1 == ::1 reject with icmpv6 type admin-prohibited")
		cfg.Timeout = 500e6
		s := openTest(t, cfg, ICMP)
		awaitIPv6(t, s, "2001:db8:1::2")
		space := testSpace(t, "198.18.0.0/24", "2001:db8:1::/120")
		r := sweepNow(t, s, space)
		want := map[Outcome]int{Reply: 256, Unreachable: 256}
		if diff := cmp.Diff(want, outcomes(r.Passes[0])); diff != "" {
			t.Error(diff, s.Stats())
		}
		for _, a := range r.Passes[0].Answers {
			target := space.Addr(int(a.Target))
			kind, code := uint8(3), uint8(13) // RFC 1812
			if target.Is6() {
				kind, code = 1, 1 // RFC 4443
			}
			if b := target.As16(); (b[15]&1 == 1) != (a.Outcome == Unreachable) {
				t.Errorf("%s: %s", target, a.Outcome)
			} else if a.Outcome == Unreachable && (a.Type != kind || a.Code != code || !a.From.IsValid()) {
				t.Errorf("%s: type %d, code %d, from %s", target, a.Type, a.Code, a.From)
			}
		}
		if st := s.Stats(); st.Forged != 0 || st.Malformed != 0 {
			t.Errorf("%d forged, %d malformed", st.Forged, st.Malformed)
		}
	})
}

// nft adds rules to a hook of the test's namespace.
func nft(t testing.TB, hook string, rules ...string) {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		skipUnlessCI(t, "no nft: "+err.Error())
	}
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader("table inet f {\nchain c {\ntype filter hook " + hook + " priority 0\n" +
		strings.Join(rules, "\n") + "\n}\n}\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
}

// TestLocalFailuresAreUnsent: a firewall of our own, routes that refuse, and no route at all are not the target's silence.
func TestLocalFailuresAreUnsent(t *testing.T) {
	bothModes(t, "", func(t *testing.T, cfg SweeperConfig) {
		command(t, "ip route add local 198.18.0.0/24 dev lo")
		command(t, "ip route add unreachable 198.18.1.0/24")
		command(t, "ip route add prohibit 198.18.2.0/24")
		nft(t, "output", "ip daddr 198.18.0.0/26 drop")
		s := openTest(t, cfg, ICMP)
		r := sweepNow(t, s, testSpace(t, "198.18.0.0/22"))
		if diff := cmp.Diff(map[Outcome]int{Reply: 192, Unsent: 832}, outcomes(r.Passes[0])); diff != "" {
			t.Error(diff)
		}
		want := map[string]uint64{"EPERM": 64, "EHOSTUNREACH": 256, "EACCES": 256, "ENETUNREACH": 256}
		if diff := cmp.Diff(want, s.Stats().Protocols[ICMP].Local); diff != "" {
			t.Error(diff)
		}
	})
}

// TestRulesForICMPAreKept: a routing rule for the protocol that we probe by is our own doing, not the target's silence.
func TestRulesForICMPAreKept(t *testing.T) {
	bothModes(t, "", func(t *testing.T, cfg SweeperConfig) {
		openTUN(t, "198.18.0.0/24") // where nobody answers
		cfg.Timeout = 300 * time.Millisecond
		command(t, "ip rule add pref 10 ipproto icmp to 198.18.0.0/25 prohibit")
		s := openTest(t, cfg, ICMP)
		r := sweepNow(t, s, testSpace(t, "198.18.0.0/24"))
		if diff := cmp.Diff(map[Outcome]int{Timeout: 128, Unsent: 128}, outcomes(r.Passes[0])); diff != "" {
			t.Error(diff)
		}
		if n := s.Stats().Protocols[ICMP].Local["EACCES"]; n != 128 {
			t.Errorf("%d sends were refused, not 128", n)
		}
	})
}

// TestSameRespondersAsFping compares with another prober on the same space, of which a scattered third answers.
func TestSameRespondersAsFping(t *testing.T) {
	if _, err := exec.LookPath("fping"); err != nil {
		skipUnlessCI(t, "no fping: "+err.Error())
	}
	bothModes(t, "", func(t *testing.T, cfg SweeperConfig) {
		command(t, "ip route add local 198.18.0.0/22 dev lo")
		nft(t, "input", "icmp type echo-request ip daddr & 0.0.0.7 == 0.0.0.1 accept",
			"icmp type echo-request ip daddr & 0.0.1.3 == 0.0.1.2 accept",
			"icmp type echo-request ip daddr & 0.0.0.255 == 0.0.0.255 accept",
			"icmp type echo-request drop")
		space := testSpace(t, "198.18.0.0/22")
		var list strings.Builder
		for i := range space.Len() {
			list.WriteString(space.Addr(i).String() + "\n")
		}
		cmd := exec.Command("fping", "-a", "-q", "-r", "2", "-i", "0.2", "-t", "300")
		cmd.Stdin = strings.NewReader(list.String())
		out, _ := cmd.Output() // exits 1 where an address is silent
		want := parseAddrs(strings.Fields(string(out)))
		cfg.Timeout = 500e6
		s := openTest(t, cfg, ICMP)
		r := sweepNow(t, s, space)
		var got []netip.Addr
		for _, a := range r.Passes[0].Answers {
			got = append(got, space.Addr(int(a.Target)))
		}
		if !slices.Equal(got, want) || len(got) < 200 || len(got) > 400 {
			t.Errorf("we found %d, fping %d", len(got), len(want))
		}
	})
}

func parseAddrs(words []string) []netip.Addr {
	addrs := make([]netip.Addr, len(words))
	for i, word := range words {
		addrs[i] = netip.MustParseAddr(word)
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs
}

func TestICMPModesWorkAsTheySay(t *testing.T) {
	enterNamespace(t)
	sysctl(t, "net/ipv4/ping_group_range", "1 0") // nobody
	for _, m := range ICMPModes() {
		if m.Mode == ICMPDatagram && (m.Err == nil || !strings.Contains(m.Err.Error(), "ping_group_range")) {
			t.Errorf("datagram, ipv6 %t: %v", m.IPv6, m.Err)
		}
		if m.Mode == ICMPRaw && m.Err != nil {
			t.Errorf("raw, ipv6 %t: %v", m.IPv6, m.Err)
		}
	}
	if _, err := OpenSweeper(SweeperConfig{ICMP: ICMPDatagram}, []Protocol{ICMP}); err == nil {
		t.Error("a datagram socket opens without leave")
	}
}

package probe

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// populations say who of a space answers: the rest is silent by a rule of the kernel's.
var populations = []struct {
	name    string
	drop    string // nft: which requests are silent; "": none
	answers func(netip.Addr) bool
}{
	{"all answer", "", func(netip.Addr) bool { return true }},
	{"one in 64 answers", "icmp type echo-request ip daddr & 0.0.0.63 != 0.0.0.9 drop", func(a netip.Addr) bool { return a.As4()[3]&63 == 9 }},
}

// TestEveryResponderIsFound sweeps spaces that the kernel itself owns, unpaced, again and again: every address that
// answers is found in every run, by a raw socket as root and by a datagram socket without any privilege. With -long there
// are 50 runs of each, at the default timeout.
func TestEveryResponderIsFound(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, c := range []struct {
		space string
		runs  int
	}{{"198.18.0.0/22", 3}, {"198.18.0.0/16", 1}} {
		for _, p := range populations {
			bothModes(t, c.space+", "+p.name, func(t *testing.T, cfg SweeperConfig) {
				command(t, "ip route add local "+c.space+" dev lo")
				if p.drop != "" {
					nft(t, "input", p.drop)
				}
				if !*long {
					cfg.Timeout = 500 * time.Millisecond
				}
				if cfg.ICMP == ICMPDatagram {
					dropPrivileges(t)
				}
				findAll(t, openTest(t, cfg, ICMP), testSpace(t, c.space), times(c.runs, 50), p.answers)
			})
		}
	}
}

// TestWhoeverAnswersRarelyIsFoundOverASlowWay: where few answer, nothing tells a sweep that a router on the way drops what is too
// fast for it.
func TestWhoeverAnswersRarelyIsFoundOverASlowWay(t *testing.T) {
	rare := populations[1]
	bothModes(t, rare.name, func(t *testing.T, cfg SweeperConfig) {
		command(t, "ip route add local 198.18.0.0/20 dev lo")
		nft(t, "input", "icmp type echo-request limit rate over 10000/second burst 50 packets drop", rare.drop)
		cfg.Timeout = 500 * time.Millisecond
		findAll(t, openTest(t, cfg, ICMP), testSpace(t, "198.18.0.0/20"), 3, rare.answers)
	})
}

// findAll sweeps a space so many times, and checks that just those that answer are found.
func findAll(t *testing.T, s *Sweeper, space Space, runs int, answers func(netip.Addr) bool) {
	want := 0
	for i := range space.Len() {
		if answers(space.Addr(i)) {
			want++
		}
	}
	var took, slowest time.Duration
	for run := range runs {
		before, begin := softnet(t), time.Now()
		r := sweepNow(t, s, space)
		took += time.Since(begin)
		slowest = max(slowest, time.Since(begin))
		if got := lives(r, 0); got != want || len(r.Passes[0].Unsent) > 0 {
			t.Errorf("run %d: %d of %d found, %d unsent; %+v; the kernel's backlog dropped %d", run, got, want,
				len(r.Passes[0].Unsent), s.Stats(), softnet(t)-before)
		}
	}
	t.Logf("%d runs, %s on average, %s at most", runs, took/time.Duration(runs), slowest)
}

// softnet is how many packets the kernel has dropped because a processor's backlog was full: loopback's queue.
func softnet(t *testing.T) (dropped uint64) {
	t.Helper()
	b, err := os.ReadFile(softnetStat)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range parseSoftnet(b) {
		dropped += uint64(q.dropped)
	}
	return dropped
}

// dropPrivileges takes every capability from the thread that the test is locked to, for good.
func dropPrivileges(t testing.TB) {
	t.Helper()
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&h, &none[0]); err != nil {
		t.Fatal(err)
	}
}

package probe

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// quickNeighbours has the kernel ask for a neighbour once only, and not for a second thrice.
func quickNeighbours(t *testing.T) {
	t.Helper()
	for _, family := range []string{"ipv4", "ipv6"} {
		sysctl(t, "net/"+family+"/neigh/near0/mcast_solicit", "1")
		sysctl(t, "net/"+family+"/neigh/near0/retrans_time_ms", "200")
	}
}

// TestOurRouterIsGone routes a space by way of a router that is not there: our own kernel says so of every target, and that
// is nothing that a target has said.
func TestOurRouterIsGone(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	openAlive(t)
	quickNeighbours(t)
	command(t, "ip route replace 198.18.8.0/21 via 198.19.0.99")
	command(t, "ip -6 route replace fd00:198:19::/64 via fd00:198:20::99")
	sweepers := openFaulty(t, SweeperConfig{Timeout: 2 * time.Second})
	wantSome(t, blameless(t, startFaulty(t, sweepers, 0, "198.18.8.0/26", "fd00:198:19::/122")), Unsent)
}

// TestANeighbourIsGone: of a target on our own link our kernel's error says that it does not answer.
func TestANeighbourIsGone(t *testing.T) {
	// Not beside others: all namespaces share the kernel's table of neighbours.
	if !inNamespace(t) {
		return
	}
	openAlive(t)
	quickNeighbours(t)
	sweepers := openFaulty(t, SweeperConfig{Timeout: 2 * time.Second})
	for i, w := range startFaulty(t, sweepers, 0, "198.19.0.96/30", "fd00:198:20::60/126", onLink4) {
		<-w.Sent()
		r, _ := w.Round()
		for _, pass := range r.Passes {
			// The kernel limits the ICMP errors that it sends, in all namespaces together: some may be missing.
			if got := outcomes(pass); got[Unreachable] == 0 || got[Unreachable]+got[Timeout] != 8 || got[Reply] != 256 {
				t.Errorf("sweep %d, %s: %v", i, pass.Protocol, got)
			}
		}
	}
}

// TestKeptForAbsentNeighbours: while our kernel asks for a neighbour, which takes longer than the timeout, it keeps what is for
// that, and nothing of ours does; and there are always some. The silence of neither those nor others is our doing.
func TestKeptForAbsentNeighbours(t *testing.T) {
	// Not beside others: all namespaces share the kernel's table of neighbours.
	if !inNamespace(t) {
		return
	}
	f := openAlive(t)
	f.nft(t, "input", "ip daddr 198.18.9.0/27 drop")
	for _, test := range []struct {
		name   string
		dead   int
		alive  int
		target []string
	}{
		{"an on-link space is dark", 32, 0, []string{"198.19.0.96/27"}},
		{"some on the link are, and some behind a router", 64, 256, []string{"198.19.0.128/27", "198.18.9.0/27", routed4}},
	} {
		sweepers := openFaulty(t, SweeperConfig{Timeout: 1200 * time.Millisecond})
		for i, w := range startFaulty(t, sweepers, 3*time.Second, test.target...) {
			<-w.Sent()
			r, _ := w.Round()
			for k, pass := range r.Passes {
				got := outcomes(pass)
				got[Timeout] = pass.Targets.Len() - len(pass.Answers) - len(pass.Unsent)
				last := int32(0) // offset of what was answered
				for _, a := range pass.Answers {
					if a.Outcome.Life() {
						last = max(last, a.Offset)
					}
				}
				for _, target := range pass.Unsent { // of those behind a router, it is not known of who came after the last answer
					a, at := pass.Targets.Addr(int(target)), w.plan.Offset(k, int(target)).Milliseconds()
					if test.alive == 0 || at < int64(last) {
						t.Errorf("%s: sweep %d, %s: %s, at %d ms of %d, is unsent", test.name, i, pass.Protocol, a, at, last)
					}
				}
				if got[Timeout]+got[Unreachable]+got[Unsent] != test.dead || got[Reply] != test.alive {
					t.Errorf("%s: sweep %d, %s: %v", test.name, i, pass.Protocol, got)
				}
			}
		}
	}
}

// TestOurNeighbourTableIsFull fills the kernel's table of neighbours with some that are not there. It stays full no longer
// than until that has struck, for what other packages test meanwhile needs neighbours too.
func TestOurNeighbourTableIsFull(t *testing.T) {
	// Not beside others: all namespaces share the kernel's table of neighbours.
	if !inNamespace(t) {
		return
	}
	openAlive(t)
	quickNeighbours(t)
	sysctl(t, "net/ipv4/neigh/near0/mcast_solicit", "20") // so that the table stays full for the while
	sweepers := openFaulty(t, SweeperConfig{Timeout: 2 * time.Second})
	command(t, "ip route replace 198.19.64.0/18 dev near0")
	struck := func() bool { return len(sweepers[0].Stats().Protocols[ICMP].Local) > 0 }
	next := 0
	fill := func() (full bool) {
		full = sendToNobody(t, next)
		next = (next + 64) & (1<<14 - 1)
		return full
	}
	for range 10 {
		full := fill()
		for !full && next > 0 { // net.ipv4.neigh.default.gc_thresh3 of them are enough
			full = fill()
		}
		if !full {
			skipUnlessCI(t, "the kernel's table of neighbours holds more than 16,384")
		}
		sweeps := startFaulty(t, sweepers, time.Second/2, onLink4)
		eventually(t, "a sweep has sent, or something cannot be", func() bool {
			fill() // again and again: the kernel makes room after some seconds, and the tests of others may
			select {
			case <-sweeps[0].Sent():
				return true
			default:
				return struck()
			}
		})
		command(t, "ip neigh flush to 198.19.64.0/18 dev near0 nud all")
		if all := blameless(t, sweeps); struck() {
			wantAny(t, all, Unsent)
			return
		}
	}
	t.Error("everything could be sent")
}

// sendToNobody sends to 64 neighbours that are not there, and reports whether the table had room for them.
func sendToNobody(t *testing.T, first int) (full bool) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := reportErrors(fd, true); err != nil { // else the kernel hides ENOBUFS
		t.Fatal(err)
	}
	for i := first; i < first+64; i++ {
		to := &unix.SockaddrInet4{Port: 9, Addr: [4]byte{198, 19, byte(64 + i>>8), byte(i)}}
		full = full || unix.Sendto(fd, []byte{0}, 0, to) == unix.ENOBUFS
	}
	return full
}

// TestOurRouterIsGoneForAWhile: our kernel keeps a few hundred packets for a router that it asks for, and drops those before.
// When their silence is judged, the router is there again.
func TestOurRouterIsGoneForAWhile(t *testing.T) {
	// Not beside others: all namespaces share the kernel's table of neighbours.
	if !inNamespace(t) {
		return
	}
	f := openAlive(t)
	ignore := func(how string) { f.do(func() { sysctl(t, "net/ipv4/conf/far0/arp_ignore", how) }) }
	sweepers := openFaulty(t, SweeperConfig{Timeout: 2 * time.Second})
	sweeps := startFaulty(t, sweepers, 3*time.Second, "198.18.8.0/21")
	time.Sleep(500 * time.Millisecond)
	ignore("8")
	command(t, "ip neigh flush dev near0")
	time.Sleep(1500 * time.Millisecond)
	ignore("0")
	all := blameless(t, sweeps)
	wantSome(t, all, Reply)
	delete(all, "tcp/80") // which sends again
	wantSome(t, all, Unsent)
}
